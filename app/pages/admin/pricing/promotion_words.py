"""Promotions in words, for staff."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.models import Promotion
from app.pages.formats import money, number, percent

KINDS = {
    "percentage": "Percentage off",
    "fixed_amount": "Amount off",
    "free_shipping": "Free shipping",
    "buy_x_get_y": "Buy some, get some",
}


def rule(promotion: Promotion, articles: Mapping[str, Sequence[int]]) -> str:
    """The rule in one sentence, such as `10 % off what is named, from $50.00, with a code`."""
    parts = [_gain(promotion, _extent(articles, "", "everything"), articles)]
    if promotion.min_subtotal:
        parts.append(f"from {money(promotion.min_subtotal)}")
    if promotion.min_quantity:
        parts.append(f"from {number(promotion.min_quantity)} units")
    if promotion.needs_code:
        parts.append("with a code")
    if promotion.exclusive:
        parts.append("never with another promotion")
    return ", ".join(parts)


def state(promotion: Promotion, now: datetime) -> str:
    """Whether a promotion runs, or why it does not."""
    if not promotion.is_active:
        return "Switched off"
    if promotion.ends_at and promotion.ends_at <= now:
        return "Ended"
    if promotion.starts_at and promotion.starts_at > now:
        return "To come"
    if promotion.limit_total is not None and promotion.uses >= promotion.limit_total:
        return "Used up"
    return "Active"


def _gain(promotion: Promotion, extent: str, articles: Mapping[str, Sequence[int]]) -> str:
    if promotion.kind == "percentage":
        return f"{percent(promotion.value)} off {extent}"
    if promotion.kind == "fixed_amount":
        return f"{money(promotion.value)} off {extent}"
    if promotion.kind == "free_shipping":
        return "Free shipping" if extent == "everything" else f"Free shipping with {extent}"
    gained = _extent(articles, "get_", "of the same")
    units = (
        f"Buy {number(promotion.buy_quantity)} of {extent}, get {number(promotion.get_quantity)}"
    )
    return f"{units} {gained} at {percent(promotion.value)} off"


def _extent(articles: Mapping[str, Sequence[int]], prefix: str, everything: str) -> str:
    counts = {
        ("product", "products"): len(articles[f"{prefix}product_ids"]),
        ("category", "categories"): len(articles[f"{prefix}category_ids"]),
    }
    words = [
        f"{number(count)} {one if count == 1 else many}"
        for (one, many), count in counts.items()
        if count
    ]
    return " and ".join(words) or everything

"""Which promotions apply to a cart, and what they take off its lines.

Promotions of a higher priority come first, of equal ones those with a code, then the older one. Each
works on what those before it left of a line. A promotion applies if it takes something off; free
shipping applies whenever the cart needs shipping.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.domain.pricing.model import PricingLine, Promotion
from app.domain.pricing.percent import percent_of
from app.domain.pricing.shares import spread


class Application(NamedTuple):
    """A promotion that applies, and what it takes off each line; of free shipping nothing."""

    promotion: Promotion
    amounts: Sequence[int]


def apply_promotions(
    lines: Sequence[PricingLine], promotions: Iterable[Promotion]
) -> list[Application]:
    """The promotions that apply to these lines, in the order in which they do.

    A promotion that excludes others is skipped after another one, and is the last where it applies.
    Of one that is named twice, by two codes, the first applies.
    """
    applications: list[Application] = []
    left = [line.list_total for line in lines]
    ids = set()
    for promotion in sorted(promotions, key=_rank):
        if promotion.id in ids or (promotion.exclusive and applications):
            continue
        amounts = _amounts(lines, left, promotion)
        if not any(amounts) and not _frees_shipping(lines, promotion):
            continue
        applications.append(Application(promotion, amounts))
        ids.add(promotion.id)
        left = [rest - amount for rest, amount in zip(left, amounts, strict=True)]
        if promotion.exclusive:
            break
    return applications


def applies_alone(lines: Sequence[PricingLine], promotion: Promotion) -> bool:
    """Whether a promotion would apply if it were the only one."""
    return bool(apply_promotions(lines, [promotion]))


def needs_shipping(lines: Iterable[PricingLine]) -> bool:
    """Whether anything of a cart has to be shipped."""
    return any(line.requires_shipping for line in lines)


def _rank(promotion: Promotion) -> tuple[int, bool, int, str]:
    return (-promotion.priority, promotion.code is None, promotion.id, promotion.code or "")


def _frees_shipping(lines: Sequence[PricingLine], promotion: Promotion) -> bool:
    is_free = promotion.kind == "free_shipping" and needs_shipping(lines)
    return is_free and _meets_conditions(lines, promotion)


def _meets_conditions(lines: Iterable[PricingLine], promotion: Promotion) -> bool:
    """Whether there are named articles in the cart, and enough of them, in units and at list price."""
    articles = [line for line in lines if is_named(line, promotion)]
    subtotal = sum(line.list_total for line in articles)
    quantity = sum(line.quantity for line in articles)
    is_enough = subtotal >= promotion.min_subtotal and quantity >= promotion.min_quantity
    return bool(articles) and is_enough


def is_named(line: PricingLine, promotion: Promotion) -> bool:
    """Whether a promotion is about this article; one that names none is about all."""
    if not promotion.product_ids and not promotion.category_ids:
        return True
    return _is_among(line, promotion.product_ids, promotion.category_ids)


def _is_among(line: PricingLine, product_ids: frozenset[int], category_ids: frozenset[int]) -> bool:
    return line.product_id in product_ids or not category_ids.isdisjoint(line.category_ids)


def _amounts(
    lines: Sequence[PricingLine], left: Sequence[int], promotion: Promotion
) -> Sequence[int]:
    """What a promotion takes off each line, of which so much is left."""
    if promotion.kind == "free_shipping" or not _meets_conditions(lines, promotion):
        return [0] * len(lines)
    if promotion.kind == "buy_x_get_y":
        worths = _worths_gained(lines, left, promotion)
        return spread(percent_of(sum(worths), promotion.value), worths)
    weights = [
        rest if is_named(line, promotion) else 0 for line, rest in zip(lines, left, strict=True)
    ]
    return spread(_amount_off(sum(weights), promotion), weights)


def _amount_off(left: int, promotion: Promotion) -> int:
    if promotion.kind == "fixed_amount":
        return min(promotion.value, left)
    return percent_of(left, promotion.value)


def _worths_gained(
    lines: Sequence[PricingLine], left: Sequence[int], promotion: Promotion
) -> list[int]:
    """What is left of the units of each line that are gained, the cheapest ones by list price."""
    units, places = _units_gained(lines, promotion)
    worths = [0] * len(lines)
    for place in sorted(places, key=lambda place: (lines[place].unit_price, lines[place].id)):
        taken = min(units, lines[place].quantity)
        worths[place] = left[place] * taken // lines[place].quantity
        units -= taken
    return worths


def _units_gained(lines: Sequence[PricingLine], promotion: Promotion) -> tuple[int, list[int]]:
    """How many units are gained, and the places of the lines that they come from.

    An article that is both to be bought and to be gained counts as bought.
    """
    bought = [place for place, line in enumerate(lines) if is_named(line, promotion)]
    if not promotion.get_product_ids and not promotion.get_category_ids:
        sets = _units(lines, bought) // (promotion.buy_quantity + promotion.get_quantity)
        return _limited(sets, promotion) * promotion.get_quantity, bought
    named = (promotion.get_product_ids, promotion.get_category_ids)
    gained = [
        place
        for place, line in enumerate(lines)
        if _is_among(line, *named) and not is_named(line, promotion)
    ]
    sets = min(
        _units(lines, bought) // promotion.buy_quantity,
        _units(lines, gained) // promotion.get_quantity,
    )
    return _limited(sets, promotion) * promotion.get_quantity, gained


def _units(lines: Sequence[PricingLine], places: Iterable[int]) -> int:
    return sum(lines[place].quantity for place in places)


def _limited(sets: int, promotion: Promotion) -> int:
    return sets if promotion.max_sets is None else min(sets, promotion.max_sets)

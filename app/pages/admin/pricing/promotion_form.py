"""The form of a promotion."""

from typing import Any

from flask import request
from marshmallow import Schema

from app.domain.money import to_text
from app.domain.text import MAX_SLUG, NotText, clean
from app.errors import Invalid
from app.models import Promotion
from app.pages.formats import plain_amount, written_amount
from app.pages.forms import Form, parse_optional_whole, parse_whole
from app.schemas.base import store_currency
from app.schemas.promotions import MAX_ARTICLES
from app.services.pricing import promotion_articles
from app.services.pricing.promotion_service import PromotionView, written_value

TICKS = ("needs_code", "exclusive", "is_active")
COUNTS = ("min_quantity", "buy_quantity", "get_quantity", "priority")
LIMITS = ("max_sets", "limit_total", "limit_per_customer")
LISTS = {"products": "product_ids", "get_products": "get_product_ids"}
"""The fields for products, and what they are in the API."""
CATEGORIES = {"categories": "category_ids", "get_categories": "get_category_ids"}


class PromotionForm(Form):
    """A promotion. Products are named by SKU or address, one in a line; amounts and percentages are written
    as in the locale; times are in UTC."""

    @classmethod
    def from_request(cls) -> "PromotionForm":
        """The form in this request, with the boxes that are ticked."""
        ticked = {name: request.form.getlist(name) for name in CATEGORIES}
        return cls({**request.form.to_dict(), **ticked})

    @classmethod
    def of(cls, view: PromotionView) -> "PromotionForm":
        """The form filled in with a promotion."""
        row, currency = view.promotion, store_currency()
        values: dict[str, object] = {"name": row.name, "kind": row.kind}
        values |= {name: getattr(row, name) or "" for name in (*COUNTS, *LIMITS)}
        values |= {name: "1" if getattr(row, name) else "" for name in TICKS}
        values |= {name: _written_time(row, name) for name in ("starts_at", "ends_at")}
        values["value"] = written_amount(written_value(row, currency) or "")
        if row.min_subtotal:
            values["min_subtotal"] = written_amount(to_text(row.min_subtotal, currency))
        for name, key in LISTS.items():
            values[name] = "\n".join(promotion_articles.slugs_of(view.articles[key]))
        for name, key in CATEGORIES.items():
            values[name] = [str(id_) for id_ in view.articles[key]]
        return cls(values)

    def show_refusal(self, refusal: Any) -> None:
        """Show what is wrong with articles beside the fields in which they are named."""
        super().show_refusal(refusal)
        for name, key in {**LISTS, **CATEGORIES}.items():
            wrong = [
                text
                for field, texts in self.errors.items()
                if field.split(".")[0] == key
                for text in texts
            ]
            if wrong:
                self.errors[name] = wrong[:1]

    def _load(self, schema: Schema) -> dict[str, Any]:
        body: dict[str, object] = {
            **{name: self.value(name) for name in ("name", "kind")},
            "min_subtotal": plain_amount(self.value("min_subtotal").strip()) or "0",
            **{name: parse_whole(self.value(name).strip() or "0") for name in COUNTS},
            **{name: parse_optional_whole(self.value(name)) for name in LIMITS},
            **{name: bool(self.value(name)) for name in TICKS},
            **{name: _read_time(self.value(name)) for name in ("starts_at", "ends_at")},
            **{
                key: [parse_whole(id_) for id_ in self.values.get(name, [])]
                for name, key in CATEGORIES.items()
            },
        }
        fields = self._read(schema, {**body, "value": self._value()})
        for name, key in LISTS.items():
            fields[key] = promotion_articles.product_ids(_lines(self.value(name), name), name)
        return fields

    def _value(self) -> str | None:
        text = self.value("value").strip().removesuffix("%").rstrip()
        return plain_amount(text) if text and self.value("kind") != "free_shipping" else None


def _lines(text: str, field: str) -> list[str]:
    """What is written in the lines of a text.

    Raises:
        Invalid: on `field`: too many lines, or one that can name no product.
    """
    lines = text[: MAX_ARTICLES * MAX_SLUG].split("\n")
    references = [line for line in lines if line.strip()]
    if len(references) > MAX_ARTICLES or len(text) > MAX_ARTICLES * MAX_SLUG:
        raise Invalid({field: [f"At most {MAX_ARTICLES} products."]})
    try:
        return [clean(reference, 1, MAX_SLUG) for reference in references]
    except NotText:
        raise Invalid({field: ["One SKU or address in each line."]}) from None


def _written_time(row: Promotion, name: str) -> str:
    moment = getattr(row, name)
    return moment.strftime("%Y-%m-%dT%H:%M") if moment else ""


def _read_time(text: str) -> str | None:
    """A time of a browser's field, which has no time zone, as one in UTC."""
    written = text.strip()
    seconds = "" if written.count(":") > 1 else ":00"
    return f"{written}{seconds}Z" if written else None

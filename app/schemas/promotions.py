"""The JSON of promotions and their codes."""

from datetime import datetime
from typing import Any

from marshmallow import ValidationError, validates_schema
from marshmallow import fields as ma
from marshmallow.validate import Length, OneOf

from app.domain.clock import rfc3339
from app.domain.money import MAX_WRITTEN, to_text
from app.domain.periods import NotATime, first_moment
from app.domain.pricing.codes import (
    DEFAULT_LENGTH,
    MAX_CODE,
    MAX_LENGTH,
    MIN_LENGTH,
    clean_code,
)
from app.domain.pricing.model import PROMOTION_KINDS
from app.domain.text import NotText
from app.models import MAX_QUANTITY
from app.schemas.base import Body, Flag, Items, Money, Name, RowId, ShopSchema, Text, Whole
from app.services.pricing.promotion_codes import MAX_COUNT, CodeView
from app.services.pricing.promotion_service import PromotionView, written_value

MAX_ARTICLES = 500
MAX_USES = 10**9


class Moment(ma.Field[datetime]):
    """A date-time of RFC 3339; of a date its first moment in UTC."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": "string", "format": "date-time", "maxLength": MAX_WRITTEN}
        super().__init__(allow_none=True, metadata=metadata, **kwargs)

    def _serialize(self, value: Any, attr: Name, obj: object, **kwargs: object) -> str | None:
        return None if value is None else rfc3339(value)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> datetime:
        try:
            return first_moment(value if isinstance(value, str) and len(value) < 50 else "")
        except NotATime as error:
            raise ValidationError(str(error)) from None


class Code(Text):
    """A code; codes compare without regard to case and to space around them."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(MAX_CODE, 1, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> str:
        try:
            return clean_code(super()._deserialize(value, attr, data, **kwargs))
        except NotText as error:
            raise ValidationError(str(error)) from None


def _ids(what: str) -> ma.Field[Any]:
    return Items(RowId(), validate=Length(max=MAX_ARTICLES), metadata={"description": what})


class PromotionSchema(ShopSchema):
    """Something that takes money off orders, by itself or with a code."""

    id = ma.Integer(dump_only=True)
    name = Text(200, 1, required=True)
    kind = ma.String(required=True, validate=OneOf(PROMOTION_KINDS))
    value = ma.Raw(
        allow_none=True,
        metadata={
            "type": "string",
            "maxLength": MAX_WRITTEN,
            "description": "A percentage, or an amount of money; of buy_x_get_y the percentage off"
            " the units that are gained (100 if it is left out); none of free_shipping.",
            "examples": ["10"],
        },
    )
    product_ids = _ids("The products that it is about.")
    category_ids = _ids(
        "The categories that it is about, with all below them. Without products and categories it is"
        " about everything."
    )
    min_subtotal = Money(metadata={"description": "Of these articles, at list price."})
    min_quantity = Whole(0, MAX_QUANTITY, metadata={"description": "Units of these articles."})
    buy_quantity = Whole(0, MAX_QUANTITY)
    get_quantity = Whole(0, MAX_QUANTITY)
    get_product_ids = _ids("The products that are gained; the same articles, if none is named.")
    get_category_ids = _ids("The categories that are gained.")
    max_sets = Whole(1, MAX_QUANTITY, allow_none=True)
    needs_code = Flag()
    starts_at = Moment()
    ends_at = Moment()
    priority = Whole(-1000, 1000, metadata={"description": "Higher ones come first."})
    exclusive = Flag()
    limit_total = Whole(1, MAX_USES, allow_none=True)
    limit_per_customer = Whole(1, MAX_USES, allow_none=True)
    is_active = Flag()
    used = ma.Integer(dump_only=True, metadata={"description": "Orders that use it."})


class PromotionCodeSchema(ShopSchema):
    """A code of a promotion."""

    id = ma.Integer()
    code = ma.String()
    limit_total = ma.Integer(allow_none=True)
    used = ma.Integer(metadata={"description": "Orders that use it."})


class PromotionCodesSchema(ShopSchema):
    """New codes."""

    items = ma.List(ma.Nested(PromotionCodeSchema))


class NewCodesSchema(ShopSchema):
    """One code as it is given, or `count` codes that nobody can guess."""

    code = Code(metadata={"x-choice": "any"})
    count = Whole(1, MAX_COUNT, metadata={"x-choice": "any"})
    prefix = Text(16)
    length = Whole(MIN_LENGTH, MAX_LENGTH, load_default=DEFAULT_LENGTH)
    limit_total = Whole(1, MAX_USES, allow_none=True, load_default=None)

    @validates_schema
    def _one_of_both(self, data: dict[str, object], **_kwargs: object) -> None:
        if ("code" in data) == ("count" in data):
            raise ValidationError({"code": ["Give code or count."]})


class CartCodeSchema(ShopSchema):
    """A code that a buyer enters."""

    code = Code(required=True)


def show_promotion(view: PromotionView, currency: str) -> dict[str, object]:
    """A promotion as `PromotionSchema` describes it."""
    row = view.promotion
    names = ("min_quantity", "buy_quantity", "get_quantity", "max_sets", "needs_code", "priority")
    limits = ("exclusive", "limit_total", "limit_per_customer", "is_active")
    return {
        "id": row.id,
        "name": row.name,
        "kind": row.kind,
        "value": written_value(row, currency),
        **view.articles,
        "min_subtotal": to_text(row.min_subtotal, currency),
        **{name: getattr(row, name) for name in (*names, *limits)},
        "starts_at": rfc3339(row.starts_at) if row.starts_at else None,
        "ends_at": rfc3339(row.ends_at) if row.ends_at else None,
        "used": view.used,
    }


def show_code(code: CodeView) -> dict[str, object]:
    """A code as `PromotionCodeSchema` describes it."""
    return code._asdict()

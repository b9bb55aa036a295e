"""The documented shape of every refusal."""

from typing import Any

from marshmallow import fields

from app.schemas.base import Money, ShopSchema


class ShortageSchema(ShopSchema):
    """More is wanted of a variant than there is."""

    variant_id = fields.Integer()
    sku = fields.String()
    requested = fields.Integer()
    available = fields.Integer()


def _told(kind: type[fields.Field[Any]], when: str, *args: Any) -> fields.Field[Any]:
    """What a refusal tells beside its words, where there is something to tell."""
    return kind(*args, metadata={"description": when, "x-optional": True})


class ProblemSchema(ShopSchema):
    """A problem answer (RFC 9457)."""

    type = fields.String()
    title = fields.String()
    status = fields.Integer()
    detail = fields.String()
    code = fields.String(metadata={"description": "A stable word for programs."})
    message = fields.String(metadata={"description": "The same as `detail`."})
    request_id = fields.String()
    errors = fields.Dict(
        keys=fields.String(),
        values=fields.List(fields.String()),
        metadata={
            "description": "Messages by field, if fields are not valid.",
            "x-optional": True,
        },
    )
    shortages = _told(
        fields.List,
        "With `out_of_stock`: every variant that is short.",
        fields.Nested(ShortageSchema),
    )
    allowed = _told(
        fields.List, "With `illegal_transition`: the statuses that may follow.", fields.String()
    )
    sku = _told(fields.String, "With `sku_taken` and `guest_limit`: the SKU.")
    maximum = _told(fields.Integer, "With `guest_limit`: the most units or open orders.")
    total = _told(Money, "With `total_changed`: the current total.")
    version = _told(fields.Integer, "With `precondition_failed` of an edit: the current version.")
    on_hand = _told(fields.Integer, "With `stock_promised`: the current figure.")
    allocated = _told(fields.Integer, "With `stock_promised`: the current figure.")

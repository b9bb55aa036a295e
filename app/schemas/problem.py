"""The documented shape of every refusal."""

from typing import Any

from marshmallow import fields

from app.schemas.base import Money, ShopSchema


class ShortageSchema(ShopSchema):
    """A variant with fewer units than requested."""

    variant_id = fields.Integer()
    sku = fields.String()
    requested = fields.Integer()
    available = fields.Integer()


def _extra(kind: type[fields.Field[Any]], when: str, *args: Any) -> fields.Field[Any]:
    """A field that only some refusals have."""
    return kind(*args, metadata={"description": when, "x-optional": True})


class HolderSchema(ShopSchema):
    """The product with its variant, or the category, that has a SKU or a slug."""

    name = fields.String()
    product_id = _extra(fields.Integer, "The product.")
    variant_id = _extra(fields.Integer, "With `sku_taken`: the variant.")
    category_id = _extra(fields.Integer, "The category.")
    sku = _extra(fields.String, "With `sku_taken`.")
    slug = fields.String()
    is_active = _extra(fields.Boolean, "Whether the product or variant is on sale.")


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
        metadata={"description": "Messages by field, if fields are not valid.", "x-optional": True},
    )
    shortages = _extra(
        fields.List,
        "With `out_of_stock`: every variant that is short.",
        fields.Nested(ShortageSchema),
    )
    allowed = _extra(
        fields.List, "With `illegal_transition`: the statuses that may follow.", fields.String()
    )
    conflict = _extra(fields.Nested, "With `sku_taken` and `slug_taken`: who has it.", HolderSchema)
    mfa_token = _extra(
        fields.String, "With `mfa_required`: to be sent to `/api/auth/mfa` with a code."
    )
    expires_in = _extra(fields.Integer, "With `mfa_required`: seconds until `mfa_token` expires.")
    sku = _extra(fields.String, "With `sku_taken` and `guest_limit`: the SKU.")
    maximum = _extra(fields.Integer, "With `guest_limit`: the most units or open orders.")
    total = _extra(Money, "With `total_changed`: the current total.")
    version = _extra(fields.Integer, "With `precondition_failed` of an edit: the current version.")
    on_hand = _extra(fields.Integer, "With `stock_promised`: the current figure.")
    allocated = _extra(fields.Integer, "With `stock_promised`: the current figure.")

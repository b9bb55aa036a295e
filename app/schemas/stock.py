"""The JSON of stock and its ledger."""

from marshmallow import ValidationError, fields, validates_schema

from app.domain.catalogue.variant_rules import MAX_STOCK
from app.schemas.base import Number, RowId, ShopSchema, Text, Time, Whole
from app.schemas.paging import CursorArgs, PageArgs


class StockChangeSchema(ShopSchema):
    """A correction of what is on hand: a difference, or the new figure."""

    variant_id = RowId(metadata={"description": "Required if several variants are active."})
    delta = Whole(-MAX_STOCK, MAX_STOCK, metadata={"x-choice": "one"})
    on_hand = Whole(0, MAX_STOCK, metadata={"x-choice": "one"})
    reason = Text(200, low=1, required=True)

    @validates_schema
    def _one_way(self, data: dict[str, object], **_kwargs: object) -> None:
        if ("delta" in data) == ("on_hand" in data):
            raise ValidationError({"delta": ["Give either delta or on_hand."]})


class StockSchema(ShopSchema):
    """The stock of a variant; `stock` is what can be sold: on hand less allocated."""

    variant_id = fields.Integer(attribute="id")
    sku = fields.String()
    on_hand = fields.Integer()
    allocated = fields.Integer(
        metadata={"description": "Units promised to orders that are not shipped yet."}
    )
    stock = fields.Integer(attribute="available")


class LedgerArgs(PageArgs):
    """The filters of the ledger."""

    variant_id = Number(
        1, 2**63 - 1, load_default=None, metadata={"description": "Only changes of this variant."}
    )


class LedgerListArgs(CursorArgs, LedgerArgs):
    """The same with cursors, as the API has it."""


class StockMovementSchema(ShopSchema):
    """One change of a variant's stock; it never changes again."""

    id = fields.Integer()
    variant_id = fields.Integer()
    on_hand_delta = fields.Integer()
    allocated_delta = fields.Integer()
    reason = fields.String()
    order_number = fields.String(allow_none=True)
    at = Time()

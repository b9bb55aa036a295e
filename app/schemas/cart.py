"""The JSON of carts."""

from dataclasses import asdict

from marshmallow import ValidationError, fields, validates_schema

from app.domain.money import to_text
from app.models import MAX_QUANTITY
from app.schemas.base import Money, RowId, ShopSchema, Whole
from app.schemas.orders import DiscountSchema, show_discount
from app.services.buying.cart_codes import NO_DISCOUNTS, CartDiscounts
from app.services.buying.cart_contents import CartContents, CartItem
from app.services.buying.cart_pricing import REFUSALS


class AddItemSchema(ShopSchema):
    """What to put into the cart: a product, where it has just one variant, or else a variant."""

    product_id = RowId(metadata={"x-choice": "any"})
    variant_id = RowId(metadata={"x-choice": "any"})
    quantity = Whole(1, MAX_QUANTITY, load_default=1)

    @validates_schema
    def _something(self, data: dict[str, object], **_kwargs: object) -> None:
        if "product_id" not in data and "variant_id" not in data:
            raise ValidationError({"product_id": ["Give product_id or variant_id."]})


class ChangeItemSchema(ShopSchema):
    """The new quantity of a line; 0 removes it."""

    quantity = Whole(0, MAX_QUANTITY, required=True)


class CartItemSchema(ShopSchema):
    """One line of a cart, at today's price."""

    id = fields.Integer()
    product_id = fields.Integer()
    variant_id = fields.Integer()
    sku = fields.String()
    name = fields.String()
    options = fields.Dict(keys=fields.String(), values=fields.String())
    quantity = fields.Integer()
    unit_price = Money()
    line_total = Money()
    available = fields.Integer(metadata={"description": "Units that can be bought now."})


class CartWarningSchema(ShopSchema):
    """Something about a line that the buyer should know before ordering."""

    code = fields.String(metadata={"enum": ["out_of_stock", "insufficient_stock", "price_changed"]})
    variant_id = fields.Integer()
    detail = fields.String()


class CodeStateSchema(ShopSchema):
    """A code in the cart: whether it applies, or why it does not."""

    code = fields.String()
    applied = fields.Boolean()
    reason = fields.String(
        allow_none=True, metadata={"enum": [*REFUSALS, None], "description": "Null if it applies."}
    )


class CartSchema(ShopSchema):
    """A cart at today's prices. Being in it reserves nothing."""

    items = fields.List(fields.Nested(CartItemSchema))
    item_count = fields.Integer(metadata={"description": "Units, not lines."})
    subtotal = Money()
    codes = fields.List(fields.Nested(CodeStateSchema))
    discounts = fields.List(fields.Nested(DiscountSchema))
    discount_total = Money()
    total = Money(
        metadata={"description": "The goods after discounts; tax and shipping come with the quote."}
    )
    currency = fields.String()
    warnings = fields.List(fields.Nested(CartWarningSchema))


def show_cart(
    contents: CartContents, currency: str, discounts: CartDiscounts = NO_DISCOUNTS
) -> dict[str, object]:
    """A cart as `CartSchema` describes it."""
    return {
        "items": [_show_item(item, currency) for item in contents.items],
        "item_count": contents.item_count,
        "subtotal": to_text(contents.subtotal, currency),
        "codes": [asdict(code) for code in discounts.codes],
        "discounts": [show_discount(discount, currency) for discount in discounts.discounts],
        "discount_total": to_text(discounts.discount_total, currency),
        "total": to_text(contents.subtotal - discounts.discount_total, currency),
        "currency": currency,
        "warnings": [asdict(warning) for warning in contents.warnings],
    }


def _show_item(item: CartItem, currency: str) -> dict[str, object]:
    return {
        "id": item.id,
        "product_id": item.product_id,
        "variant_id": item.variant_id,
        "sku": item.sku,
        "name": item.name,
        "options": item.options,
        "quantity": item.quantity,
        "unit_price": to_text(item.unit_price, currency),
        "line_total": to_text(item.line_total, currency),
        "available": item.available,
    }

"""The JSON of quotes."""

from dataclasses import asdict

from marshmallow import ValidationError, fields, validates_schema

from app.domain.money import to_text
from app.domain.pricing.model import TREATMENTS, PricedLine
from app.schemas.base import Money, RowId, ShopSchema, Text
from app.schemas.cart import CodeStateSchema
from app.schemas.orders import DiscountSchema, OrderItemSchema, TaxSchema, show_discount, show_tax
from app.schemas.settings import VatId
from app.schemas.shipping import OfferedMethodSchema, show_offer
from app.schemas.users import Country, PostalAddressSchema
from app.services.buying.cart_pricing import code_states
from app.services.buying.checkout_lines import CheckoutLine
from app.services.buying.quotes import Quote


class QuoteAddressSchema(PostalAddressSchema):
    """The address that goods are sent to, as far as it is known: the country is enough."""

    name = Text(200)
    line1 = Text(200)
    city = Text(100)
    country = Country(required=True)


class QuoteRequestSchema(ShopSchema):
    """The choices that a quote takes in."""

    shipping_address = fields.Nested(QuoteAddressSchema)
    address_id = RowId(metadata={"description": "An entry of the customer's own address book."})
    billing_address = fields.Nested(QuoteAddressSchema)
    shipping_method_id = RowId()
    vat_id = VatId(metadata={"description": "A business's VAT id, with its country's letters."})

    @validates_schema
    def _one_address(self, data: dict[str, object], **_kwargs: object) -> None:
        if "shipping_address" in data and "address_id" in data:
            raise ValidationError(
                {"address_id": ["Give shipping_address or address_id, not both."]}
            )


class QuoteSchema(ShopSchema):
    """What an order of the cart would cost."""

    items = fields.List(fields.Nested(OrderItemSchema))
    codes = fields.List(fields.Nested(CodeStateSchema))
    discounts = fields.List(fields.Nested(DiscountSchema))
    shipping_methods = fields.List(
        fields.Nested(OfferedMethodSchema),
        metadata={"description": "Those that ship this cart to the address."},
    )
    shipping_method_id = fields.Integer(allow_none=True)
    subtotal = Money()
    discount_total = Money()
    shipping_total = Money(metadata={"description": "Before free shipping, which is a discount."})
    tax_total = Money()
    tax_included = fields.Boolean(metadata={"description": "Whether prices include tax."})
    tax_treatment = fields.String(metadata={"enum": list(TREATMENTS)})
    taxes = fields.List(fields.Nested(TaxSchema))
    total = Money()
    currency = fields.String()
    complete = fields.Boolean(
        metadata={"description": "False while an address or a method is missing for the total."}
    )


def show_quote(quote: Quote, currency: str) -> dict[str, object]:
    """A quote as `QuoteSchema` describes it."""
    pricing = quote.cart.pricing
    items = zip(quote.lines, pricing.lines, strict=True)
    return {
        "items": [_show_item(line, price, currency) for line, price in items],
        "codes": [asdict(code) for code in code_states(quote.cart)],
        "discounts": [show_discount(discount, currency) for discount in pricing.discounts],
        "shipping_methods": [show_offer(offer, currency) for offer in pricing.offers],
        "shipping_method_id": pricing.method.id if pricing.method else None,
        "subtotal": to_text(pricing.subtotal, currency),
        "discount_total": to_text(pricing.discount_total, currency),
        "shipping_total": to_text(pricing.shipping_total, currency),
        "tax_total": to_text(pricing.tax_total, currency),
        "tax_included": pricing.tax_included,
        "tax_treatment": pricing.tax_treatment,
        "taxes": [show_tax(tax, currency) for tax in pricing.taxes],
        "total": to_text(pricing.total, currency),
        "currency": currency,
        "complete": quote.cart.is_complete,
    }


def _show_item(line: CheckoutLine, price: PricedLine, currency: str) -> dict[str, object]:
    return {
        "id": line.line_id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "sku": line.sku,
        "name": line.name,
        "options": line.options,
        "unit_price": to_text(line.price, currency),
        "quantity": line.quantity,
        "line_total": to_text(line.price * line.quantity, currency),
        "discount_total": to_text(price.discount_total, currency),
        "tax_total": to_text(price.tax_total, currency),
        "total": to_text(price.total, currency),
    }

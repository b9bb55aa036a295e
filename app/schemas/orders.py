"""The JSON of orders."""

from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from app.domain.clock import rfc3339
from app.domain.money import to_text
from app.domain.order_status import STATUSES
from app.domain.periods import NotATime, first_moment, moment_after
from app.domain.pricing.model import DISCOUNT_KINDS, TREATMENTS, Discount, Tax
from app.domain.pricing.percent import percent_text
from app.models import Order, OrderDiscount, OrderEvent, OrderLine, OrderTax
from app.schemas.auth import Email
from app.schemas.base import Money, Number, RowId, ShopSchema, Text, Time
from app.schemas.paging import CursorArgs
from app.schemas.settings import VatId
from app.schemas.users import PostalAddressSchema
from app.services.orders.order_views import (
    DiscountView,
    EventView,
    LineView,
    OrderView,
    TaxView,
)

MAX_TOTAL = 2**63 - 1
MAX_NOTE = 2000
_ADDRESS = tuple(PostalAddressSchema().fields)


class PlaceOrderSchema(ShopSchema):
    """What an order needs beside the cart. A guest must give `email`."""

    shipping_address = fields.Nested(PostalAddressSchema)
    address_id = RowId(metadata={"description": "An entry of the customer's own address book."})
    billing_address = fields.Nested(
        PostalAddressSchema, metadata={"description": "The shipping address, if it is left out."}
    )
    shipping_method_id = RowId(
        metadata={"description": "Required where the shop ships by methods (see the quote)."}
    )
    vat_id = VatId(metadata={"description": "A business's VAT id, with its country's letters."})
    email = Email()
    note = Text(MAX_NOTE, lines=True)
    expected_total = Money(
        high=MAX_TOTAL, metadata={"description": "The order is refused if its total differs."}
    )

    @validates_schema
    def _one_address(self, data: dict[str, object], **_kwargs: object) -> None:
        if "shipping_address" in data and "address_id" in data:
            raise ValidationError(
                {"address_id": ["Give shipping_address or address_id, not both."]}
            )


class DiscountSchema(ShopSchema):
    """What a promotion, or the relief from tax, takes off."""

    promotion_id = fields.Integer(allow_none=True)
    name = fields.String()
    code = fields.String(allow_none=True, metadata={"description": "Null without a code."})
    kind = fields.String(metadata={"enum": list(DISCOUNT_KINDS)})
    amount = Money()


class TaxSchema(ShopSchema):
    """A tax; `taxable` is net, whether or not prices include tax."""

    name = fields.String()
    rate = fields.String(metadata={"description": "In percent.", "examples": ["19"]})
    taxable = Money()
    amount = Money()


class ShippingMethodNameSchema(ShopSchema):
    """How an order is shipped, by the name that the method had then."""

    id = fields.Integer()
    name = fields.String()


class OrderItemSchema(ShopSchema):
    """One line of an order, as it was called and priced when it was bought."""

    id = fields.Integer()
    product_id = fields.Integer()
    variant_id = fields.Integer()
    sku = fields.String()
    name = fields.String()
    options = fields.Dict(keys=fields.String(), values=fields.String())
    unit_price = Money()
    quantity = fields.Integer()
    line_total = Money()
    discount_total = Money()
    tax_total = Money()
    total = Money(metadata={"description": "What is paid for it, tax included."})


class OrderEventSchema(ShopSchema):
    """One step in an order's history."""

    status = fields.String(metadata={"enum": list(STATUSES)})
    at = Time()
    by = fields.String(attribute="done_by", metadata={"enum": ["customer", "staff", "system"]})
    note = fields.String()


class OrderSchema(ShopSchema):
    """An order: names and prices are those of the day on which it was placed."""

    id = fields.Integer()
    number = fields.String(metadata={"examples": ["SW-7K2M-0QXD-94TV"]})
    user_id = fields.Integer(allow_none=True, metadata={"description": "Null for guests."})
    status = fields.String(metadata={"enum": list(STATUSES)})
    currency = fields.String()
    subtotal = Money()
    discount_total = Money()
    shipping_total = Money()
    tax_total = Money()
    total = Money()
    tax_included = fields.Boolean(metadata={"description": "Whether prices include tax."})
    tax_treatment = fields.String(metadata={"enum": list(TREATMENTS)})
    taxes = fields.List(fields.Nested(TaxSchema))
    discounts = fields.List(fields.Nested(DiscountSchema))
    shipping_method = fields.Nested(ShippingMethodNameSchema, allow_none=True)
    items = fields.List(fields.Nested(OrderItemSchema), attribute="lines")
    shipping_address = fields.Nested(PostalAddressSchema, allow_none=True)
    billing_address = fields.Nested(PostalAddressSchema, attribute="billed_to", allow_none=True)
    vat_id = fields.String(allow_none=True)
    email = fields.String(allow_none=True)
    note = fields.String()
    placed_at = Time()
    updated_at = Time()
    history = fields.List(fields.Nested(OrderEventSchema), attribute="events")


class PlacedOrderSchema(OrderSchema):
    """A new order; to a guest also the secret that opens it from then on."""

    guest_token = fields.String(
        metadata={"x-optional": True, "description": "For guests only: send it as X-Order-Token."}
    )


def show_order(order: Order | OrderView) -> dict[str, object]:
    """An order as `OrderSchema` describes it."""
    currency = order.currency
    return {
        "id": order.id,
        "number": order.number,
        "user_id": order.user_id,
        "status": order.status,
        "currency": currency,
        "subtotal": to_text(order.subtotal, currency),
        "discount_total": to_text(order.discount_total, currency),
        "shipping_total": to_text(order.shipping_total, currency),
        "tax_total": to_text(order.tax_total, currency),
        "total": to_text(order.total, currency),
        "tax_included": order.tax_included,
        "tax_treatment": order.tax_treatment,
        "taxes": [show_tax(tax, currency) for tax in order.taxes],
        "discounts": [show_discount(discount, currency) for discount in order.discounts],
        "shipping_method": _show_method(order),
        "items": [_show_line(line, order.tax_included, currency) for line in order.lines],
        "shipping_address": _show_address(order.shipping_address),
        "billing_address": _show_address(order.billed_to),
        "vat_id": order.vat_id,
        "email": order.email,
        "note": order.note,
        "placed_at": rfc3339(order.placed_at),
        "updated_at": rfc3339(order.updated_at),
        "history": [_show_event(event) for event in order.events],
    }


def show_tax(tax: OrderTax | TaxView | Tax, currency: str) -> dict[str, object]:
    """A tax as `TaxSchema` describes it."""
    return {
        "name": tax.name,
        "rate": percent_text(tax.rate),
        "taxable": to_text(tax.taxable, currency),
        "amount": to_text(tax.amount, currency),
    }


def show_discount(
    discount: OrderDiscount | DiscountView | Discount, currency: str
) -> dict[str, object]:
    """A discount as `DiscountSchema` describes it."""
    return {
        "promotion_id": discount.promotion_id,
        "name": discount.name,
        "code": discount.code,
        "kind": discount.kind,
        "amount": to_text(discount.amount, currency),
    }


def _show_method(order: Order | OrderView) -> dict[str, object] | None:
    return order.shipping_method._asdict() if order.shipping_method else None


def _show_line(line: OrderLine | LineView, tax_included: bool, currency: str) -> dict[str, object]:
    paid = line.line_total - line.discount_total + (0 if tax_included else line.tax_total)
    return {
        "id": line.id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "sku": line.sku,
        "name": line.name,
        "options": line.options,
        "unit_price": to_text(line.unit_price, currency),
        "quantity": line.quantity,
        "line_total": to_text(line.line_total, currency),
        "discount_total": to_text(line.discount_total, currency),
        "tax_total": to_text(line.tax_total, currency),
        "total": to_text(paid, currency),
    }


def _show_address(address: dict[str, str] | None) -> dict[str, str] | None:
    if address is None:
        return None
    return {name: address[name] for name in _ADDRESS if name in address}


def _show_event(event: OrderEvent | EventView) -> dict[str, object]:
    return {
        "status": event.status,
        "at": rfc3339(event.at),
        "by": event.done_by,
        "note": event.note,
    }


class ChangeStatusSchema(ShopSchema):
    """The new status of an order, and a note for its history."""

    status = fields.String(required=True, validate=OneOf(STATUSES))
    note = Text(MAX_NOTE, lines=True, load_default="")


class CancelSchema(ShopSchema):
    """A note on why an order is cancelled."""

    note = Text(MAX_NOTE, lines=True, load_default="")


class Moment(fields.Field[datetime]):
    """A date or date-time of RFC 3339 in a query; with `end` the moment after it."""

    def __init__(self, end: bool = False, **kwargs: Any) -> None:
        self.end = end
        which = "last" if end else "first"
        description = f"The {which} day or moment: a date, or a date-time of RFC 3339."
        metadata = {"type": "string", "description": description, "examples": ["2026-11-22"]}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: object, attr: object, data: object, **kwargs: object) -> datetime:
        try:
            return moment_after(str(value)) if self.end else first_moment(str(value))
        except NotATime as error:
            raise ValidationError(str(error)) from None


class OrderListArgs(CursorArgs):
    """The filters of the list of orders; `from` and `to` are both included."""

    status = fields.String(
        validate=OneOf(STATUSES), metadata={"description": "Only orders with this status."}
    )
    user_id = Number(
        1, 2**63 - 1, metadata={"description": "Only orders of this account; for staff."}
    )
    q = Text(
        254,
        metadata={
            "description": "The beginning of an order number, an email, or its part before the @. If"
            " no order matches, for staff: beginnings of the words of the name, the address and the"
            " articles, in any order; a SKU; or the last digits of the phone number. If still no"
            " order matches, and for customers always, any part of an order number or an email."
        },
    )
    since = Moment(data_key="from")
    before = Moment(end=True, data_key="to")

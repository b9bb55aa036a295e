"""The JSON of orders."""

from datetime import datetime
from typing import Any

from marshmallow import ValidationError, fields, validates_schema
from marshmallow.validate import OneOf

from app.domain.clock import rfc3339
from app.domain.money import to_text
from app.domain.order_status import STATUSES
from app.domain.periods import NotATime, first_moment, moment_after
from app.models import Order, OrderEvent, OrderLine
from app.schemas.auth import Email
from app.schemas.base import Money, Number, RowId, ShopSchema, Text, Time
from app.schemas.paging import CursorArgs
from app.schemas.users import PostalAddressSchema
from app.services.orders.order_views import EventView, LineView, OrderView

MAX_TOTAL = 2**63 - 1
MAX_NOTE = 2000
_ADDRESS = tuple(PostalAddressSchema().fields)


class PlaceOrderSchema(ShopSchema):
    """What an order needs beside the cart. A guest must give `email`."""

    shipping_address = fields.Nested(PostalAddressSchema)
    address_id = RowId(metadata={"description": "An entry of the customer's own address book."})
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
    items = fields.List(fields.Nested(OrderItemSchema), attribute="lines")
    shipping_address = fields.Nested(PostalAddressSchema, allow_none=True)
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
        "items": [_show_line(line, currency) for line in order.lines],
        "shipping_address": _show_address(order),
        "email": order.email,
        "note": order.note,
        "placed_at": rfc3339(order.placed_at),
        "updated_at": rfc3339(order.updated_at),
        "history": [_show_event(event) for event in order.events],
    }


def _show_line(line: OrderLine | LineView, currency: str) -> dict[str, object]:
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
    }


def _show_address(order: Order | OrderView) -> dict[str, str] | None:
    address = order.shipping_address
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

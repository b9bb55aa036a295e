"""Orders as lists show them: plain values instead of entities that could be changed.

A page of orders costs two statements, and no row becomes an object that the session tracks.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, Executable, Subquery, bindparam, select

from app.db.prepared import by_owner, run
from app.domain.order_status import OrderStatus
from app.domain.pricing.model import DiscountKind, TaxTreatment
from app.models import Order, OrderDiscount, OrderEvent, OrderLine, OrderTax
from app.models.sales import ShippingMethodName, method_name


class LineView(NamedTuple):
    """One article of an order; prices in minor units."""

    id: int
    product_id: int
    variant_id: int
    sku: str
    name: str
    options: dict[str, str]
    unit_price: int
    quantity: int
    line_total: int
    discount_total: int = 0
    tax_total: int = 0


class DiscountView(NamedTuple):
    """What a promotion, or the relief from tax, took off an order; `amount` in minor units."""

    promotion_id: int | None
    name: str
    code: str | None
    kind: DiscountKind
    amount: int


class TaxView(NamedTuple):
    """A tax of an order: its rate in thousandths of a percent, amounts in minor units."""

    name: str
    rate: int
    taxable: int
    amount: int


class EventView(NamedTuple):
    """One step in an order's history."""

    status: OrderStatus
    at: datetime
    done_by: str
    note: str


class OrderView(NamedTuple):
    """An order with its lines and its history; totals in minor units."""

    id: int
    number: str
    user_id: int | None
    status: OrderStatus
    currency: str
    subtotal: int
    discount_total: int
    shipping_total: int
    tax_total: int
    total: int
    email: str | None
    shipping_address: dict[str, str] | None
    note: str
    placed_at: datetime
    updated_at: datetime
    tax_included: bool
    tax_treatment: TaxTreatment
    shipping_method_id: int | None
    shipping_method_name: str | None
    shipping_discount: int
    shipping_tax: int
    billing_address: dict[str, str] | None
    vat_id: str | None
    lines: Sequence[LineView]
    events: Sequence[EventView]
    discounts: Sequence[DiscountView] = ()
    taxes: Sequence[TaxView] = ()

    @property
    def shipping_method(self) -> ShippingMethodName | None:
        """How it is shipped."""
        return method_name(self.shipping_method_id, self.shipping_method_name)

    @property
    def billed_to(self) -> dict[str, str] | None:
        """The billing address: the shipping address, unless another was given."""
        return self.billing_address or self.shipping_address


# In the order of the fields of OrderView, EventView and LineView.
_ORDER_COLUMNS = (
    Order.id, Order.number, Order.user_id, Order.status, Order.currency, Order.subtotal,
    Order.discount_total, Order.shipping_total, Order.tax_total, Order.total, Order.email,
    Order.shipping_address, Order.note, Order.placed_at, Order.updated_at, Order.tax_included,
    Order.tax_treatment, Order.shipping_method_id, Order.shipping_method_name,
    Order.shipping_discount, Order.shipping_tax, Order.billing_address, Order.vat_id,
)  # fmt: skip
_EVENT_COLUMNS = (OrderEvent.status, OrderEvent.at, OrderEvent.done_by, OrderEvent.note)
LINE_COLUMNS = (
    OrderLine.id, OrderLine.product_id, OrderLine.variant_id, OrderLine.sku, OrderLine.name,
    OrderLine.options, OrderLine.unit_price, OrderLine.quantity, OrderLine.line_total,
    OrderLine.discount_total, OrderLine.tax_total,
)  # fmt: skip
_OF_ORDERS: BindParameter[list[int]] = bindparam("ids", expanding=True)
_LINES = (
    select(OrderLine.order_id, *LINE_COLUMNS)
    .where(OrderLine.order_id.in_(_OF_ORDERS))
    .order_by(OrderLine.id)
)
_DISCOUNTS = (
    select(
        OrderDiscount.order_id, OrderDiscount.promotion_id, OrderDiscount.name, OrderDiscount.code,
        OrderDiscount.kind, OrderDiscount.amount,
    )
    .where(OrderDiscount.order_id.in_(_OF_ORDERS))
    .order_by(OrderDiscount.id)
)  # fmt: skip
_TAXES = (
    select(OrderTax.order_id, OrderTax.name, OrderTax.rate, OrderTax.taxable, OrderTax.amount)
    .where(OrderTax.order_id.in_(_OF_ORDERS))
    .order_by(OrderTax.id)
)


def list_statement(
    ids: Subquery, order: Sequence[ColumnElement[Any]], total: ColumnElement[Any]
) -> Executable:
    """The statement of `fetch_list`: the orders of these ids with their history.

    `total` is computed in the same statement. So is the history: status and history that are read
    in two statements may be from two moments. Lines never change.
    """
    return (
        select(*_ORDER_COLUMNS, *_EVENT_COLUMNS, total)
        .join(ids, ids.c.id == Order.id)
        .outerjoin(OrderEvent, OrderEvent.order_id == Order.id)
        .order_by(*order, OrderEvent.id)
    )


def fetch_list(
    statement: Executable, values: Mapping[str, object]
) -> tuple[list[OrderView], int | None]:
    """The orders that a `list_statement` finds, and its total; None where it finds no order."""
    orders: dict[int, list[Any]] = {}
    events: dict[int, list[EventView]] = defaultdict(list)
    rows: Sequence[Sequence[Any]] = run(statement, values).all()
    for *order, status, at, done_by, note, _total in rows:
        orders.setdefault(order[0], order)
        if status is not None:
            events[order[0]].append(EventView(status, at, done_by, note))
    lines = by_owner(_LINES, orders, LineView) if orders else {}
    views = [
        OrderView._make((*order, lines[id_], events[id_], (), ())) for id_, order in orders.items()
    ]
    return _with_parts(views), rows[0][-1] if rows else None


def _with_parts(orders: list[OrderView]) -> list[OrderView]:
    """These orders with their discounts and taxes. Where there are none, no statement looks for them."""
    discounted = [order.id for order in orders if order.discount_total]
    taxed = [order.id for order in orders if order.tax_total]
    discounts = by_owner(_DISCOUNTS, discounted, DiscountView) if discounted else {}
    taxes = by_owner(_TAXES, taxed, TaxView) if taxed else {}
    return [
        order._replace(discounts=discounts.get(order.id, ()), taxes=taxes.get(order.id, ()))
        for order in orders
    ]

"""Orders as lists show them: plain values instead of entities that could be changed.

A page of orders costs two statements, and no row becomes an object that the session tracks.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Subquery, bindparam, select

from app.db.prepared import by_owner, run
from app.domain.order_status import OrderStatus
from app.models import Order, OrderEvent, OrderLine


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
    lines: Sequence[LineView]
    events: Sequence[EventView]


# In the order of the fields of OrderView, EventView and LineView.
_ORDER_COLUMNS = (
    Order.id, Order.number, Order.user_id, Order.status, Order.currency, Order.subtotal,
    Order.discount_total, Order.shipping_total, Order.tax_total, Order.total, Order.email,
    Order.shipping_address, Order.note, Order.placed_at, Order.updated_at,
)  # fmt: skip
_EVENT_COLUMNS = (OrderEvent.status, OrderEvent.at, OrderEvent.done_by, OrderEvent.note)
LINE_COLUMNS = (
    OrderLine.id, OrderLine.product_id, OrderLine.variant_id, OrderLine.sku, OrderLine.name,
    OrderLine.options, OrderLine.unit_price, OrderLine.quantity, OrderLine.line_total,
)  # fmt: skip
_LINES = (
    select(OrderLine.order_id, *LINE_COLUMNS)
    .where(OrderLine.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(OrderLine.id)
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
    orders: dict[int, list[object]] = {}
    events: dict[int, list[EventView]] = defaultdict(list)
    rows: Sequence[Sequence[Any]] = run(statement, values).all()
    for *order, status, at, done_by, note, _total in rows:
        orders.setdefault(order[0], order)
        if status is not None:
            events[order[0]].append(EventView(status, at, done_by, note))
    lines = by_owner(_LINES, orders, LineView) if orders else {}
    views = [OrderView._make((*order, lines[id_], events[id_])) for id_, order in orders.items()]
    return views, rows[0][-1] if rows else None

"""Orders as lists show them: plain values instead of entities that could be changed.

A page of orders costs two statements, and no row becomes an object that the session watches.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, Subquery, bindparam, select

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


@dataclass(frozen=True)
class OrderView:
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
    shipping_address: dict[str, Any] | None
    note: str
    placed_at: datetime
    updated_at: datetime
    lines: Sequence[LineView]
    events: Sequence[EventView]


_FACTS: tuple[Any, ...] = (
    Order.id, Order.number, Order.user_id, Order.status, Order.currency, Order.subtotal,
    Order.discount_total, Order.shipping_total, Order.tax_total, Order.total, Order.email,
    Order.shipping_address, Order.note, Order.placed_at, Order.updated_at,
)  # fmt: skip
_EVENT: tuple[Any, ...] = (OrderEvent.status, OrderEvent.at, OrderEvent.done_by, OrderEvent.note)
LINE_COLUMNS: tuple[Any, ...] = (
    OrderLine.id, OrderLine.product_id, OrderLine.variant_id, OrderLine.sku, OrderLine.name,
    OrderLine.options, OrderLine.unit_price, OrderLine.quantity, OrderLine.line_total,
)  # fmt: skip
_END_OF_FACTS = len(_FACTS)
_LINES = (
    select(OrderLine.order_id, *LINE_COLUMNS)
    .where(OrderLine.order_id.in_(bindparam("ids", expanding=True)))
    .order_by(OrderLine.id)
)


def listing(
    found: Subquery, order: Sequence[ColumnElement[Any]], total: ColumnElement[int]
) -> Select[Any]:
    """A statement for `some`: the orders whose ids are found, in this order, and what `total` is,
    which the database works out in the same statement."""
    # Status and history in one statement: read in two, they may be told from two moments. Lines
    # never change.
    return (
        select(*_FACTS, *_EVENT, total)
        .join(found, found.c.id == Order.id)
        .outerjoin(OrderEvent, OrderEvent.order_id == Order.id)
        .order_by(*order, OrderEvent.id)
    )


def some(query: Select[Any], values: Mapping[str, Any]) -> tuple[list[OrderView], int | None]:
    """The orders that a statement of `listing` finds, with its values, and their total; None where
    no order is found."""
    facts: dict[int, tuple[Any, ...]] = {}
    events: dict[int, list[EventView]] = defaultdict(list)
    rows = run(query, values).all()
    for row in rows:
        facts.setdefault(row[0], row[:_END_OF_FACTS])
        event: tuple[Any, ...] = row[_END_OF_FACTS:-1]
        if event[0] is not None:
            events[row[0]].append(EventView(*event))
    lines = by_owner(_LINES, facts, LineView) if rows else {}
    shown = [_view(each, lines[id_], events[id_]) for id_, each in facts.items()]
    return shown, rows[0][-1] if rows else None


def _view(
    facts: tuple[Any, ...], lines: Sequence[LineView], events: Sequence[EventView]
) -> OrderView:
    parts: tuple[Any, ...] = (*facts, lines, events)
    return OrderView(*parts)

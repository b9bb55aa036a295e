"""Lists of orders: somebody's own, and for staff all, filtered and searched."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    any_,
    bindparam,
    exists,
    func,
    null,
    or_,
    select,
)

from app.db import paging
from app.db.paging import LIMIT, MAX_DEPTH, OFFSET, Page, Slice, SortKey
from app.db.prepared import run
from app.domain.order_status import OrderStatus
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import Order, OrderLine
from app.services.orders import order_views
from app.services.orders.order_views import OrderView

NEWEST_FIRST = SortKey("-placed_at", Order.placed_at, Order.id, descending=True)
MOST_KEPT = 300
"""Statements that are kept: one for each way to ask that somebody has used."""


@dataclass(frozen=True)
class Filters:
    """Which orders are wanted; `since` is inside the span, `before` is not.

    `q` is the beginning of a number, an email or what stands before its @; where no order that is
    wanted fits, and for customers always, a part of either. With `q_is_sku_too` it may be a whole
    SKU, too.
    """

    status: OrderStatus | None = None
    user_id: int | None = None
    q: str = ""
    since: datetime | None = None
    before: datetime | None = None
    q_is_sku_too: bool = False


def page_of_orders(actor: Actor, filters: Filters, page: int, per_page: int) -> Page[OrderView]:
    """Orders, newest first, with lines and history: staff see all, customers their own.

    Raises:
        Invalid: `use_cursor`, where the page lies too deep.
    """
    paging.refuse_too_deep(page, per_page)
    values = _chosen(actor, filters)
    made = _made(tuple(values), "page", db.engine.dialect.name)
    asked = {**values, "limit": per_page, "offset": (page - 1) * per_page}
    rows, total = order_views.some(made.shown, asked)
    if total is None:
        total = run(made.total, values).scalar_one() if page > 1 else 0
    return Page(rows, page, per_page, total, total_is_estimate=total > MAX_DEPTH)


def slice_of_orders(actor: Actor, filters: Filters, cursor: str, per_page: int) -> Slice[OrderView]:
    """The same after a cursor; an empty one starts.

    Raises:
        Invalid: a cursor that is none of ours.
    """
    values = _chosen(actor, filters)
    if cursor:
        values["after"], values["after_id"] = paging.decode_cursor(cursor, NEWEST_FIRST)
    made = _made(tuple(values), "slice", db.engine.dialect.name)
    rows, _total = order_views.some(made.shown, {**values, "limit": per_page + 1, "offset": 0})
    return paging.cut(rows, NEWEST_FIRST, per_page)


def _chosen(actor: Actor, filters: Filters) -> dict[str, Any]:
    """The conditions that are made, by name, with their values."""
    made: dict[str, Any] = {} if actor.is_admin else {"owner": actor.user_id}
    for name in ("status", "user_id", "since", "before"):
        if getattr(filters, name) is not None:
            made[name] = getattr(filters, name)
    return made | (_looked_for(filters, made) if filters.q else {})


def _looked_for(filters: Filters, others: dict[str, Any]) -> dict[str, str]:
    """What `q` is taken for, among the orders that the other conditions leave. Whole things are
    found at once by an index that is in their order; to look for a part of so many emails takes a
    hundred times as long. Customers have few."""
    q, sku = filters.q, {"sku": filters.q} if filters.q_is_sku_too else {}
    text = q.replace("/", "//").replace("%", "/%").replace("_", "/_")
    if q.upper().startswith("SW-"):
        whole = {"number": f"{text.upper()}%"}
    else:
        whole = {"email": f"{text.lower()}{'' if '@' in q else '@'}%"}
    asked = others | whole
    is_whole = (
        "owner" not in others
        and run(_made(tuple(asked), "any", db.engine.dialect.name).shown, asked).scalar()
    )
    return (whole if is_whole else {"part": f"%{text}%"}) | sku


class _Made(NamedTuple):
    """What finds some orders, and what counts them all."""

    shown: Select[Any]
    total: Select[Any]


_CONDITIONS: dict[str, ColumnElement[bool]] = {
    "owner": Order.user_id == bindparam("owner"),
    "status": Order.status == bindparam("status"),
    "user_id": Order.user_id == bindparam("user_id"),
    "since": Order.placed_at >= bindparam("since"),
    "before": Order.placed_at < bindparam("before"),
    "after": NEWEST_FIRST.after(
        bindparam("after", type_=Order.placed_at.type), bindparam("after_id", type_=Order.id.type)
    ),
}
_PART: Any = bindparam("part")
_SEARCHED: dict[str, list[ColumnElement[bool]]] = {
    "number": [Order.number.like(bindparam("number"), escape="/")],
    "email": [func.lower(Order.email).like(bindparam("email"), escape="/")],
    "part": [column.ilike(_PART, escape="/") for column in (Order.number, Order.email)],
}


@lru_cache(MOST_KEPT)
def _made(names: tuple[str, ...], way: str, dialect: str) -> _Made:
    """The statements for conditions of these names: a page, a slice, or whether there is any."""
    sku = [_has_sku(dialect)] if "sku" in names else []
    known = _CONDITIONS | {name: or_(*ways, *sku) for name, ways in _SEARCHED.items()}
    conditions = [known[name] for name in names if name in known]
    query = select(Order).where(*conditions)
    total = paging.counting(query)
    if way == "any":
        return _Made(select(exists().where(*conditions)), total)
    order = NEWEST_FIRST.order_by()
    found = paging.keys(query, order, LIMIT, OFFSET)
    counted: Any = total.scalar_subquery() if way == "page" else null()
    return _Made(order_views.listing(found, order, counted), total)


def _has_sku(dialect: str) -> ColumnElement[bool]:
    lines = select(OrderLine.order_id).where(OrderLine.sku == bindparam("sku"))
    if dialect != "postgresql":
        return Order.id.in_(lines)
    # An array is looked up by an index along with the other ways; IN would be asked of each order.
    ids: Any = func.array(lines.scalar_subquery(), type_=ARRAY(BigInteger))
    return Order.id == any_(ids)

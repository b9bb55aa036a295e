"""Lists of orders: customers list their own, staff filter and search all.

The statements are built once for each combination of conditions and cached, because building one
takes longer than running it. Their values are parameters, so a combination is the names of the
parameters that it needs.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Executable,
    String,
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
from app.domain.word_search import word_search
from app.errors import Forbidden
from app.extensions import db
from app.models import Order, OrderLine
from app.models.word_index import has_words, match_text
from app.services.orders import order_views
from app.services.orders.order_views import OrderView

NEWEST_FIRST = SortKey("-placed_at", Order.placed_at, Order.id, descending=True)
BY_BEGINNING = replace(NEWEST_FIRST, name="-placed_at:beginning")
BY_WORDS = replace(NEWEST_FIRST, name="-placed_at:words")
BY_PART = replace(NEWEST_FIRST, name="-placed_at:part")
"""The same order, in cursors of lists whose `q` was the beginning of something, words, or any part."""
MAX_CACHED = 300
"""Combinations of conditions whose statements are cached."""
Values = dict[str, object]


@dataclass(frozen=True)
class OrderQuery:
    """Which orders to list: from `since`, before `before`.

    `q` is the beginning of a number, an email, or the part of an email before its @. Where it is
    none of these, it is a whole SKU or words of the order (`order_words`): of its names, address and
    articles, or its phone number. Where it is nothing of this either, and for customers always, it is
    any part of a number or an email.
    """

    status: OrderStatus | None = None
    user_id: int | None = None
    q: str = ""
    since: datetime | None = None
    before: datetime | None = None


def page_of_orders(actor: Actor, query: OrderQuery, page: int, per_page: int) -> Page[OrderView]:
    """Orders, newest first, with lines and history: staff see all, customers their own.

    Raises:
        Forbidden: a customer lists the orders of others.
        Invalid: `use_cursor`, where the page lies too deep.
    """
    paging.refuse_too_deep(page, per_page)
    values = _values(actor, query)
    statements = _statements_for(values)
    window = {"limit": per_page, "offset": (page - 1) * per_page}
    orders, total = order_views.fetch_list(statements.page, values | window)
    if total is None:
        total = run(statements.total, values).scalar_one() if page > 1 else 0
    return Page(orders, page, per_page, total, total_is_estimate=total > MAX_DEPTH)


def slice_of_orders(
    actor: Actor, query: OrderQuery, cursor: str, per_page: int
) -> Slice[OrderView]:
    """The same after a cursor; an empty one starts.

    The cursor says what `q` stood for on the first page. Decided anew, an order that is placed in
    between could change it, and the list would end early.

    Raises:
        Forbidden: a customer lists the orders of others.
        Invalid: the cursor is not one of this list.
    """
    key = paging.key_of(cursor, (BY_BEGINNING, BY_WORDS, BY_PART)) or NEWEST_FIRST
    values = _values(actor, query, key)
    if cursor:
        values["after"], values["after_id"] = paging.decode_cursor(cursor, key)
    window = {"limit": per_page + 1, "offset": 0}
    orders, _ = order_views.fetch_list(_statements_for(values).slice, values | window)
    return paging.slice_of(orders, _key_for(values), per_page)


def _key_for(values: Values) -> SortKey:
    keys = {"number": BY_BEGINNING, "email": BY_BEGINNING, "sku": BY_WORDS, "part": BY_PART}
    return next((key for name, key in keys.items() if name in values), NEWEST_FIRST)


def _values(actor: Actor, query: OrderQuery, key: SortKey = NEWEST_FIRST) -> Values:
    """The values of the conditions that apply, by name; raises Forbidden."""
    if not actor.is_admin and query.user_id not in (None, actor.user_id):
        raise Forbidden("Only staff may list the orders of others.")
    values: Values = {} if actor.is_admin else {"owner": actor.user_id}
    for name in ("status", "user_id", "since", "before"):
        value = getattr(query, name)
        if value is not None:
            values[name] = value
    return values | (_search_values(query, values, key) if query.q else {})


def _search_values(query: OrderQuery, others: Values, key: SortKey) -> Values:
    """What `q` stands for among the orders that the other conditions leave, unless `key` says it.

    Indexes find the beginning of a number or of an email, and words; looking for a part of every
    email takes a hundred times as long. Customers have few orders.
    """
    text = query.q.replace("/", "//").replace("%", "/%").replace("_", "/_")
    part: Values = {"part": f"%{text}%"}
    if "owner" in others:
        return part
    sku: Values = {"sku": query.q}
    beginning, words = _beginning(query.q, text), sku | _words(query.q)
    if key is BY_BEGINNING or (key is NEWEST_FIRST and _exists(others | beginning)):
        return beginning | sku
    if key is BY_WORDS or (key is NEWEST_FIRST and _exists(others | words)):
        return words
    return part


def _beginning(q: str, text: str) -> Values:
    if q.upper().startswith("SW-"):
        return {"number": f"{text.upper()}%"}
    return {"email": f"{text.lower()}{'' if '@' in q else '@'}%"}


def _words(q: str) -> Values:
    search = word_search(q)
    return {"words": match_text(search, db.engine.dialect.name)} if search else {}


def _exists(values: Values) -> bool:
    return bool(run(_statements_for(values).exists, values).scalar())


class _OrderListStatements(NamedTuple):
    """A page or a slice of some orders, their number up to MAX_DEPTH, and whether there is one."""

    page: Executable
    slice: Executable
    total: Executable
    exists: Executable


_PART: ColumnElement[str] = bindparam("part")
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
_SEARCHES: dict[str, ColumnElement[bool]] = {
    "number": Order.number.like(bindparam("number"), escape="/"),
    "email": func.lower(Order.email).like(bindparam("email"), escape="/"),
    "part": or_(Order.number.ilike(_PART, escape="/"), Order.email.ilike(_PART, escape="/")),
}


def _statements_for(values: Values) -> _OrderListStatements:
    return _statements(tuple(values), db.engine.dialect.name)


@lru_cache(MAX_CACHED)
def _statements(names: tuple[str, ...], dialect: str) -> _OrderListStatements:
    """The statements for the conditions that have these values; any one of the searches is enough."""
    conditions = [_CONDITIONS[name] for name in names if name in _CONDITIONS]
    searches = [_SEARCHES[name] for name in names if name in _SEARCHES]
    if "sku" in names:
        searches.append(_has_sku(dialect))
    if "words" in names:
        searches.append(has_words("orders", Order.id, dialect, bindparam("words", type_=String())))
    if searches:
        conditions.append(or_(*searches))
    query = select(Order).where(*conditions)
    order, total = NEWEST_FIRST.order_by(), paging.count_query(query)
    ids = paging.page_ids(query, order, LIMIT, OFFSET)
    return _OrderListStatements(
        page=order_views.list_statement(ids, order, total.scalar_subquery()),
        slice=order_views.list_statement(ids, order, null()),
        total=total,
        exists=select(exists().where(*conditions)),
    )


def _has_sku(dialect: str) -> ColumnElement[bool]:
    order_ids = select(OrderLine.order_id).where(OrderLine.sku == bindparam("sku"))
    if dialect != "postgresql":
        return Order.id.in_(order_ids)
    # An index looks an array up along with the other searches; IN would be checked for each order.
    array = func.array(order_ids.scalar_subquery(), type_=ARRAY(BigInteger))
    return Order.id == any_(array)

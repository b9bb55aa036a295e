"""Pending orders of guests, for staff: who reserves how many units of what, and releasing them.

Guests are told apart by the keyed hashes that `guest_limits` counts by, so staff see that orders
have one network in common, and never its address.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Executable, and_, func, select
from sqlalchemy.orm import InstrumentedAttribute

from app.db.paging import Page
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import Order, OrderLine
from app.services import order_service
from app.services.order_service import Visitor
from app.services.orders import guest_limits

Grouping = Literal["network", "email", "order"]
Sorting = Literal["largest", "oldest"]
Key = InstrumentedAttribute[Any]
"""The column that the orders of a group have in common."""
ARTICLES = 3
"""How many articles are named of each group."""
RELEASED_AT_ONCE = 100
"""Orders that one request cancels, each in a transaction of its own."""
NOTE = "Cancelled by the shop, to free what it reserved."


class ReservedArticle(NamedTuple):
    """Units of an article that a group of orders reserves."""

    sku: str
    units: int


class GuestOrderGroup(NamedTuple):
    """Open guest orders that share a network or an email, or a single one.

    `key` is a keyed hash or an order's id; `email` and `number` are of one of the orders.
    """

    key: str
    email: str | None
    number: str
    orders: int
    units: int
    oldest: datetime
    network_hash: str | None
    articles: Sequence[ReservedArticle]

    @property
    def network(self) -> str:
        """The network's short name; empty where it is not known."""
        return guest_limits.network_label(self.network_hash) if self.network_hash else ""


def list_groups(
    by: Grouping, sort: Sorting, page: int, per_page: int, holder: str | None = None
) -> Page[GuestOrderGroup]:
    """Open guest orders in groups, those first that reserve most units, or that wait longest.

    Args:
        holder: only the orders with this keyed hash of a network or of an email.
    """
    key, conditions = _KEYS[by], _open(by, holder)
    window = ((page - 1) * per_page, page * per_page)
    rows = db.session.execute(_group_statement(key, conditions, sort, window)).all()
    total = db.session.scalar(select(func.count(key.distinct())).where(*conditions)) or 0
    articles = _largest_articles(key, conditions, [row.key for row in rows])
    groups = [
        GuestOrderGroup(
            str(row.key), row.email, row.number, row.orders, int(row.units), row.oldest,
            row.network_hash, articles[str(row.key)],
        )
        for row in rows
    ]  # fmt: skip
    return Page(groups, page, per_page, total)


def _group_statement(
    key: Key, conditions: Sequence[ColumnElement[bool]], sort: Sorting, window: tuple[int, int]
) -> Executable:
    units = func.sum(OrderLine.quantity).label("units")
    oldest = func.min(Order.placed_at, type_=Order.placed_at.type).label("oldest")
    return (
        select(
            key.label("key"),
            func.min(Order.email).label("email"),
            func.min(Order.number).label("number"),
            func.count(Order.id.distinct()).label("orders"),
            units,
            oldest,
            func.min(Order.guest_network_hash).label("network_hash"),
        )
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(*conditions)
        .group_by(key)
        .order_by(units.desc() if sort == "largest" else oldest, key)
        .slice(*window)
    )


def release(actor: Actor, number: str) -> Order:
    """Cancel one open order, so that others can buy what it reserved.

    Raises:
        NotFound
        IllegalTransition: it is further along, or cancelled already.
    """
    return order_service.change_status(Visitor(actor), number, "cancelled", NOTE)


def numbers_held_by(holder: str) -> Sequence[str]:
    """The numbers of a holder's open orders, the oldest first; RELEASED_AT_ONCE at most."""
    query = select(Order.number).where(*_open("order", holder)).order_by(Order.placed_at, Order.id)
    return db.session.scalars(query.limit(RELEASED_AT_ONCE)).all()


def count_held_by(holder: str) -> int:
    """How many open orders a holder has."""
    query = select(func.count()).select_from(Order).where(*_open("order", holder))
    return db.session.scalar(query) or 0


_KEYS: dict[Grouping, Key] = {
    "network": Order.guest_network_hash,
    "email": Order.guest_email_hash,
    "order": Order.id,
}


def _open(by: Grouping, holder: str | None) -> list[ColumnElement[bool]]:
    conditions = [Order.status == "pending", Order.user_id.is_(None)]
    if by != "order":
        conditions.append(_KEYS[by].is_not(None))
    if holder is not None:
        conditions.append((Order.guest_network_hash == holder) | (Order.guest_email_hash == holder))
    return conditions


def _largest_articles(
    key: Key, conditions: Sequence[ColumnElement[bool]], keys: Sequence[object]
) -> defaultdict[str, list[ReservedArticle]]:
    """The articles of which each group reserves most units."""
    units = func.sum(OrderLine.quantity)
    place = func.row_number().over(partition_by=key, order_by=(units.desc(), OrderLine.variant_id))
    ranks = (
        select(
            key.label("key"),
            func.min(OrderLine.sku).label("sku"),
            units.label("units"),
            place.label("place"),
        )
        .join_from(Order, OrderLine, OrderLine.order_id == Order.id)
        .where(and_(*conditions), key.in_(keys))
        .group_by(key, OrderLine.variant_id)
        .subquery()
    )
    query = select(ranks).where(ranks.c.place <= ARTICLES).order_by(ranks.c.place)
    articles: defaultdict[str, list[ReservedArticle]] = defaultdict(list)
    for row in db.session.execute(query):
        articles[str(row.key)].append(ReservedArticle(row.sku, int(row.units)))
    return articles

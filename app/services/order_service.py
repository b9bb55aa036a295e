"""Orders: found, listed, and moved along."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    any_,
    false,
    func,
    or_,
    select,
    true,
)
from sqlalchemy.orm import joinedload, selectinload

from app.domain.actor import Actor
from app.domain.clock import utc_now
from app.domain.order_status import OrderStatus
from app.domain.tokens import hash_token, read_order_number
from app.errors import NotFound
from app.extensions import db
from app.models import Order, OrderEvent, OrderLine
from app.services import audit_trail, inventory_service, paging
from app.services.paging import Page, Slice, SortKey

NEWEST_FIRST = SortKey("-placed_at", Order.placed_at, Order.id, descending=True)
# Status and history in one statement: read in two, they may be told from two moments. Lines never
# change.
_WHOLE = (selectinload(Order.lines), joinedload(Order.events))


@dataclass(frozen=True)
class Visitor:
    """Who asks for an order: an account, or the holder of a guest order's token, or both."""

    actor: Actor
    order_token: str | None = None

    def may_see(self) -> ColumnElement[bool]:
        """The orders that this visitor may know of: staff all, others their own."""
        if self.actor.is_admin:
            return true()
        ways: list[ColumnElement[bool]] = []
        if self.actor.user_id is not None:
            ways.append(Order.user_id == self.actor.user_id)
        if self.order_token is not None:
            ways.append(Order.guest_token_hash == hash_token(self.order_token))
        return or_(false(), *ways)


@dataclass(frozen=True)
class Filters:
    """Which orders are wanted; `since` is inside the span, `before` is not. `q` is a part of a
    number or an email, and with `q_is_sku_too` also a whole SKU."""

    status: OrderStatus | None = None
    user_id: int | None = None
    q: str = ""
    since: datetime | None = None
    before: datetime | None = None
    q_is_sku_too: bool = False


def get_order(visitor: Visitor, reference: str) -> Order:
    """An order by its id or number, with its lines and history.

    Raises:
        NotFound: no such order, or somebody else's.
    """
    return _one(select(Order).where(_called(reference), visitor.may_see()).options(*_WHOLE))


def page_of_orders(actor: Actor, filters: Filters, page: int, per_page: int) -> Page[Order]:
    """Orders, newest first, with lines and history: staff see all, customers their own.

    Raises:
        Invalid: `use_cursor`, where the page lies too deep.
    """
    query = _listed(actor, filters)
    return paging.fetch_page(query, NEWEST_FIRST.order_by(), page, per_page, _WHOLE)


def slice_of_orders(actor: Actor, filters: Filters, cursor: str, per_page: int) -> Slice[Order]:
    """The same after a cursor; an empty one starts.

    Raises:
        Invalid: a cursor that is none of ours.
    """
    return paging.fetch_slice(_listed(actor, filters), NEWEST_FIRST, cursor, per_page, _WHOLE)


def change_status(visitor: Visitor, reference: str, target: OrderStatus, note: str = "") -> Order:
    """Move an order along, with what that does to the stock and a line in its history.

    Raises:
        NotFound: no such order, or somebody else's.
        IllegalTransition: the order cannot go there from where it is.
    """
    order = _locked(visitor, reference)
    before = {"status": order.status}
    order.move_to(target)
    order.updated_at = utc_now()
    order.events.append(
        OrderEvent(
            status=target,
            at=order.updated_at,
            done_by=visitor.actor.by,
            user_id=visitor.actor.user_id,
            note=note,
        )
    )
    _move_stock(order, target, visitor.actor)
    if visitor.actor.is_admin:
        audit_trail.record(
            visitor.actor, "order.status_changed", order.id, before, {"status": target}
        )
    db.session.flush()
    return order


def _move_stock(order: Order, target: OrderStatus, actor: Actor) -> None:
    moves: Mapping[str, Callable[[Order, Actor], None]] = {
        "cancelled": inventory_service.release,
        "shipped": inventory_service.ship,
    }
    if target in moves:
        moves[target](order, actor)


def _locked(visitor: Visitor, reference: str) -> Order:
    return _one(
        select(Order)
        .where(_called(reference), visitor.may_see())
        .options(selectinload(Order.lines), selectinload(Order.events))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _one(query: Select[Any]) -> Order:
    order: Order | None = db.session.scalars(query).unique().one_or_none()
    if order is None:
        raise NotFound("order")
    return order


def _called(reference: str) -> ColumnElement[bool]:
    if reference.isascii() and reference.isdigit():
        return Order.id == int(reference) if len(reference) < 19 else false()
    number = read_order_number(reference)
    return Order.number == number if number else false()


def _listed(actor: Actor, filters: Filters) -> Select[Any]:
    return select(Order).where(Visitor(actor).may_see(), *_wanted(filters))


def _wanted(filters: Filters) -> Iterator[ColumnElement[bool]]:
    if filters.status is not None:
        yield Order.status == filters.status
    if filters.user_id is not None:
        yield Order.user_id == filters.user_id
    if filters.since is not None:
        yield Order.placed_at >= filters.since
    if filters.before is not None:
        yield Order.placed_at < filters.before
    if filters.q:
        ways = [
            Order.number.contains(filters.q.upper(), autoescape=True),
            Order.email.icontains(filters.q, autoescape=True),
        ]
        if filters.q_is_sku_too:
            ways.append(_has_sku(filters.q))
        yield or_(*ways)


def _has_sku(sku: str) -> ColumnElement[bool]:
    lines = select(OrderLine.order_id).where(OrderLine.sku == sku)
    if db.engine.dialect.name != "postgresql":
        return Order.id.in_(lines)
    # An array is looked up by an index along with the other ways; IN would be asked of each order.
    ids: Any = func.array(lines.scalar_subquery(), type_=ARRAY(BigInteger))
    return Order.id == any_(ids)

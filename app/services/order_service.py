"""Orders: read one, and change its status."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, false, or_, select, true
from sqlalchemy.orm import joinedload, selectinload

from app.domain.clock import utc_now
from app.domain.order_status import OrderStatus
from app.domain.people.actor import Actor
from app.domain.people.tokens import hash_token, read_order_number
from app.domain.text import id_or_slug
from app.errors import NotFound
from app.extensions import db
from app.models import Order, OrderEvent
from app.services import user_service
from app.services.audit import trail
from app.services.inventory import inventory_service
from app.services.pricing import redemptions

# Status and history are read in one statement: in two, they may be from two moments. Lines never
# change.
_PARTS = (selectinload(Order.lines), selectinload(Order.discounts), selectinload(Order.taxes))
_WITH_PARTS_AND_EVENTS = (*_PARTS, joinedload(Order.events))


@dataclass(frozen=True)
class Visitor:
    """Who asks for an order: an account, or the holder of a guest order's token, or both."""

    actor: Actor
    order_token: str | None = None

    def may_see(self) -> ColumnElement[bool]:
        """The condition for orders that this visitor may see: staff all, others their own."""
        if self.actor.is_admin:
            return true()
        own: list[ColumnElement[bool]] = []
        if self.actor.user_id is not None:
            own.append(Order.user_id == self.actor.user_id)
        if self.order_token is not None:
            token_hash = hash_token(self.order_token)
            own.extend((Order.guest_token_hash == token_hash, Order.link_token_hash == token_hash))
        return or_(false(), *own)


def get_order(visitor: Visitor, reference: str) -> Order:
    """An order by its id or number, with its lines and history.

    Raises:
        NotFound: no such order, or somebody else's.
    """
    return _one(
        select(Order)
        .where(_is_order(reference), visitor.may_see())
        .options(*_WITH_PARTS_AND_EVENTS)
    )


def change_status(visitor: Visitor, reference: str, target: OrderStatus, note: str = "") -> Order:
    """Change an order's status, move its stock, and add an event to its history.

    Raises:
        Unauthenticated: the customer's account was closed since the request came in.
        NotFound: no such order, or somebody else's.
        IllegalTransition: the order cannot go there from where it is.
    """
    if visitor.actor.user_id is not None and not visitor.actor.is_admin:
        user_service.lock_caller(visitor.actor)  # refuses a closed account
    order = _lock_order(visitor, reference)
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
    if target == "cancelled":
        redemptions.free(order.id)
    _move_stock(order, target, visitor.actor)
    if visitor.actor.is_admin:
        trail.record(visitor.actor, "order.status_changed", order.id, before, {"status": target})
    db.session.flush()
    return order


def _move_stock(order: Order, target: OrderStatus, actor: Actor) -> None:
    moves: Mapping[str, Callable[[Order, Actor], None]] = {
        "cancelled": inventory_service.release,
        "shipped": inventory_service.ship,
    }
    if target in moves:
        moves[target](order, actor)


def _lock_order(visitor: Visitor, reference: str) -> Order:
    return _one(
        select(Order)
        .where(_is_order(reference), visitor.may_see())
        .options(*_PARTS, selectinload(Order.events))
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def _one(query: Select[Order]) -> Order:
    order: Order | None = db.session.scalars(query).unique().one_or_none()
    if order is None:
        raise NotFound("order")
    return order


def _is_order(reference: str) -> ColumnElement[bool]:
    if isinstance(order_id := id_or_slug(reference), int):
        return Order.id == order_id
    number = read_order_number(reference)
    return Order.number == number if number else false()

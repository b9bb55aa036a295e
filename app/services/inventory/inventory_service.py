"""Stock: every change of a variant's figures and its row in the ledger, together.

A variant is locked before it changes, in one order everywhere (by id): by the caller with `lock_variants` or
`lock_variant`, or by the functions here that change all lines of an order.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import BigInteger, String, bindparam, func, insert, select, update

from app.db.postgresql import is_postgresql
from app.db.prepared import prepared, run
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.errors import Conflict, TryAgain
from app.extensions import db
from app.models import Order, OrderLine, Product, StockMovement, Variant
from app.models.availability import NOT_ALLOCATED, VARIANT_IS_ACTIVE
from app.models.catalogue import ERASED_REASON
from app.observability import metrics
from app.services.cache import catalogue_cache


class StockRequest(NamedTuple):
    """Units of one variant that somebody asks for, and how many are available."""

    variant_id: int
    sku: str
    requested: int
    available: int


class OutOfStock(Conflict):
    """More is requested than available; clients see every shortage."""

    def __init__(self, shortages: Iterable[StockRequest]) -> None:
        super().__init__(
            "out_of_stock",
            "Not enough in stock for everything.",
            shortages=[shortage._asdict() for shortage in shortages],
        )


def lock_variants(ids: Iterable[int]) -> dict[int, Variant]:
    """These variants as they are now, by id, locked in the order of their ids until the commit.

    Those that do not exist are missing from the answer. Only figures are locked, not the key
    (FOR NO KEY UPDATE), so that nobody waits to put the same variant into a cart.
    """
    query = (
        select(Variant)
        .where(Variant.id.in_(sorted(set(ids))))
        .order_by(Variant.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return {variant.id: variant for variant in db.session.scalars(query)}


def lock_variant(variant: Variant, change: int) -> Variant:
    """One variant as it is now, locked as by `lock_variants`, before `change` units are added.

    Where it sells out or is in stock again, a trigger writes the price of its product (migration 0032),
    so the product is locked first, as by everybody who locks both.
    """
    if (variant.available > 0) != (variant.available + change > 0):
        query = select(Product.id).where(Product.id == variant.product_id)
        db.session.execute(query.with_for_update(key_share=True))
    return lock_variants([variant.id])[variant.id]


def refuse_shortages(requests: Iterable[StockRequest]) -> None:
    """Check that all requests of an order can be allocated.

    Raises:
        OutOfStock: names every variant that is short.
    """
    shortages = [request for request in requests if request.available < request.requested]
    if shortages:
        metrics.shop.stock_outs.inc()
        raise OutOfStock(shortages)


def allocate(order_id: int, product_ids: Collection[int], lines: int, actor: Actor) -> None:
    """Allocate stock to all lines of a new order, at the prices that they name, or to none.

    The statement that writes checks figures and prices, so others wait for these variants only from
    here to the commit. The ledger is written after the stock, so its rows follow the order in which
    the stock changed.

    Args:
        product_ids: of the lines' products.
        lines: the number of lines.

    Raises:
        TryAgain: the stock or the price of a variant has changed since it was read.
    """
    signs = {"order_id": order_id, "on_hand_sign": 0, "allocated_sign": 1}
    _lock_variants_of(signs)
    if run(_MOVE_IF_AVAILABLE, signs).rowcount != lines:
        raise TryAgain()
    _write_ledger(order_id, "order placed", actor, on_hand=0, allocated=1)
    _invalidate_products(product_ids)


def release(order: Order, actor: Actor) -> None:
    """Release what was allocated to a cancelled order."""
    _move_lines(order, "order cancelled", actor, on_hand=0, allocated=-1)


def ship(order: Order, actor: Actor) -> None:
    """Take what leaves the warehouse: on hand and allocated both fall."""
    _move_lines(order, "order shipped", actor, on_hand=-1, allocated=-1)


def adjust(variant: Variant, delta: int, reason: str, actor: Actor) -> None:
    """Correct what is on hand, for a delivery, a count or a loss. A delta of 0 changes nothing.

    Raises:
        Conflict: `stock_promised`, where on hand would fall below allocated.
    """
    if variant.on_hand + delta < variant.allocated:
        raise Conflict(
            "stock_promised",
            f"{variant.allocated} of {variant.sku} are promised to orders:"
            f" on hand cannot become {variant.on_hand + delta}.",
            on_hand=variant.on_hand,
            allocated=variant.allocated,
        )
    if delta:
        _correct(variant, delta, reason, actor)


def set_sellable(variant: Variant, stock: int, reason: str, actor: Actor) -> None:
    """Set what can be sold: on hand becomes `stock` plus what is allocated."""
    adjust(variant, stock + variant.allocated - variant.on_hand, reason, actor)


def _correct(variant: Variant, delta: int, reason: str, actor: Actor) -> None:
    """Change what is on hand and add a row to the ledger; the next flush writes both."""
    catalogue_cache.invalidate_product(variant.product_id)
    variant.on_hand += delta
    movement = StockMovement(variant_id=variant.id, on_hand_delta=delta, allocated_delta=0)
    movement.reason, movement.user_id = reason, actor.user_id
    db.session.add(movement)


def erase_reasons(movement_ids: Collection[int]) -> None:
    """Overwrite the reasons that staff wrote for these movements, where they name a person.

    It is the only change that the ledger's triggers let pass; reasons of orders' own movements are
    the shop's words, and stay.
    """
    db.session.execute(
        update(StockMovement)
        .where(StockMovement.id.in_(movement_ids), StockMovement.order_id.is_(None))
        .values(reason=ERASED_REASON)
    )


def _move_lines(order: Order, reason: str, actor: Actor, *, on_hand: int, allocated: int) -> None:
    """Move the stock of all lines of an order: by the quantity times `on_hand` and `allocated`, 1, 0
    or -1.

    A constant number of statements, however many lines there are. Variants in the session keep their
    old figures.
    """
    signs = {"order_id": order.id, "on_hand_sign": on_hand, "allocated_sign": allocated}
    _lock_variants_of(signs)
    run(_MOVE, signs)
    _write_ledger(order.id, reason, actor, on_hand=on_hand, allocated=allocated)
    _invalidate_products({line.product_id for line in order.lines})


def _lock_variants_of(signs: Mapping[str, int]) -> None:
    """Lock the variants of an order's lines, and the products whose price the move may change.
    SQLite has one writer at a time."""
    if is_postgresql():
        run(_LOCK_VARIANTS, signs)


def _write_ledger(
    order_id: int, reason: str, actor: Actor, *, on_hand: int, allocated: int
) -> None:
    signs = {"order_id": order_id, "on_hand_sign": on_hand, "allocated_sign": allocated}
    run(_WRITE_LEDGER, reason=reason, user_id=actor.user_id, at=utc_now(), **signs)


def _invalidate_products(products: Iterable[int]) -> None:
    for product_id in products:
        catalogue_cache.invalidate_product(product_id)


_OF_ORDER = OrderLine.order_id == bindparam("order_id", type_=BigInteger())
_ON_HAND_SIGN = bindparam("on_hand_sign", type_=BigInteger())
_ALLOCATED_SIGN = bindparam("allocated_sign", type_=BigInteger())
_MORE = OrderLine.quantity * _ON_HAND_SIGN - OrderLine.quantity * _ALLOCATED_SIGN
# Where a variant sells out or is in stock again, a trigger may write the price of its product (migration
# 0032). These products are locked first, as everybody locks products before variants.
_LOCKED_PRODUCTS = (
    select(Product.id)
    .where(
        Product.id.in_(
            select(Variant.product_id)
            .join(OrderLine, OrderLine.variant_id == Variant.id)
            .where(_OF_ORDER, (NOT_ALLOCATED > 0) != (NOT_ALLOCATED + _MORE > 0))
        )
    )
    .order_by(Product.id)
    .with_for_update(key_share=True)
    .subquery("locked_products")
)
# Sorted before they are locked: everybody locks variants in the order of their ids.
#
# A statement of its own, since the one that writes has to begin after the locks are held. If one
# statement locked and wrote, it would write to the version of a row that was current when it began,
# and first wait for its turn at that version. Whoever waits for our lock may have the turn: a
# deadlock. It takes a third transaction that still holds the old version, as every order that is being
# placed does for its foreign keys.
_LOCK_VARIANTS = prepared(
    select(Variant.id)
    .join(OrderLine, OrderLine.variant_id == Variant.id)
    # Always true. It depends on no variant, so the products are locked first.
    .where(_OF_ORDER, select(func.count(_LOCKED_PRODUCTS.c.id)).scalar_subquery() >= 0)
    .order_by(Variant.id)
    .with_for_update(key_share=True, of=Variant)
)
_LOCKED_LINES = (
    select(OrderLine.variant_id.label("id"), OrderLine.quantity, OrderLine.unit_price)
    .where(_OF_ORDER)
    .subquery("locked_lines")
)
_MOVE = prepared(
    update(Variant)
    .where(Variant.id == _LOCKED_LINES.c.id)
    .values(
        on_hand=Variant.on_hand + _ON_HAND_SIGN * _LOCKED_LINES.c.quantity,
        allocated=Variant.allocated + _ALLOCATED_SIGN * _LOCKED_LINES.c.quantity,
    )
)
# The rows are locked by now, so the conditions are checked on them as they are.
_MOVE_IF_AVAILABLE = _MOVE.where(
    VARIANT_IS_ACTIVE,
    Variant.price == _LOCKED_LINES.c.unit_price,
    _LOCKED_LINES.c.quantity <= NOT_ALLOCATED,
)
_LEDGER_ROW = {
    StockMovement.variant_id: OrderLine.variant_id,
    StockMovement.on_hand_delta: _ON_HAND_SIGN * OrderLine.quantity,
    StockMovement.allocated_delta: _ALLOCATED_SIGN * OrderLine.quantity,
    StockMovement.reason: bindparam("reason", type_=String()),
    StockMovement.order_id: OrderLine.order_id,
    StockMovement.user_id: bindparam("user_id", type_=BigInteger()),
    StockMovement.at: bindparam("at", type_=StockMovement.at.type),
}
_WRITE_LEDGER = prepared(
    insert(StockMovement).from_select(
        list(_LEDGER_ROW),
        select(*_LEDGER_ROW.values()).where(_OF_ORDER).order_by(OrderLine.variant_id),
    )
)

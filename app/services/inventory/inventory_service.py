"""Stock: every change of a variant's figures and its row in the ledger, together.

Callers hold the variant's lock: `lock_variants` first, in one order everywhere (by id).
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, String, and_, bindparam, case, insert, select, update

from app.db.prepared import prepared, run
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.errors import Conflict, TryAgain
from app.extensions import db
from app.models import Order, OrderLine, Product, StockMovement, Variant
from app.models.catalogue import ERASED_REASON
from app.observability import metrics
from app.services.cache import catalogue_cache


class Wish(NamedTuple):
    """Units of one variant that somebody wants, and how many of it can be had."""

    variant_id: int
    sku: str
    quantity: int
    available: int


class OutOfStock(Conflict):
    """More is wanted than can be promised; `shortages` names every variant that is short."""

    def __init__(self, shortages: Sequence[dict[str, object]]) -> None:
        super().__init__(
            "out_of_stock", "Not enough in stock for everything.", shortages=list(shortages)
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


def refuse_short(wishes: Iterable[Wish]) -> None:
    """Let wishes pass that can all be promised.

    Raises:
        OutOfStock: naming every variant that is short.
    """
    short = [
        shortage(wish.variant_id, wish.sku, wish.quantity, wish.available)
        for wish in wishes
        if wish.available < wish.quantity
    ]
    if short:
        metrics.count_stock_out()
        raise OutOfStock(short)


def shortage(variant_id: int, sku: str, requested: int, available: int) -> dict[str, object]:
    """One entry of `shortages` as clients see it."""
    return {
        "variant_id": variant_id,
        "sku": sku,
        "requested": requested,
        "available": available,
    }


def offered(variant: Variant) -> int:
    """Units of a variant that a buyer can have now; 0 once it is inactive or deleted."""
    return variant.available if variant.is_active and variant.deleted_at is None else 0


def is_offered(product: Product) -> bool:
    """Whether a product can be bought at all."""
    return product.is_active and product.deleted_at is None


def can_be_had(variant: Variant, product: Product) -> int:
    """Units that a buyer can have now; 0 once variant or product is inactive or deleted."""
    return offered(variant) if is_offered(product) else 0


ON_OFFER = and_(
    Variant.is_active,
    Variant.deleted_at.is_(None),
    Product.is_active,
    Product.deleted_at.is_(None),
)
"""Whether a variant can be bought, for queries of variants and their products."""
CAN_BE_HAD = case((ON_OFFER, Variant.on_hand - Variant.allocated), else_=0)
"""`can_be_had` for queries that read many articles at once."""


def allocate(order_id: int, products: Collection[int], lines: int, actor: Actor) -> None:
    """Promise stock to all lines of a new order, at the prices that they tell, or to none.

    Guarded in the statement itself, so that others wait for these variants no longer than for the
    ledger and the commit. The ledger comes second: its rows follow each other as the figures did.

    Raises:
        TryAgain: the stock or the price of one has changed since it was read, so that another
            look tells what to do.
    """
    by = {"order_id": order_id, "on_hand_by": 0, "allocated_by": 1}
    if run(_ALLOCATE, by).rowcount != lines:
        raise TryAgain()
    _write_ledger(order_id, "order placed", actor, allocated=1)
    _forget(products)


def release(order: Order, actor: Actor) -> None:
    """Give back what a cancelled order had been promised."""
    _move_lines(order, "order cancelled", actor, allocated=-1)


def ship(order: Order, actor: Actor) -> None:
    """Take what leaves the house: on hand and allocated both fall."""
    _move_lines(order, "order shipped", actor, on_hand=-1, allocated=-1)


def adjust(variant: Variant, delta: int, reason: str, actor: Actor) -> None:
    """Correct what is on hand: a delivery, a count, a loss. A delta of 0 leaves no trace.

    Raises:
        Conflict: `stock_promised`, where on hand would fall below what orders were promised.
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
        move(variant, reason, on_hand=delta, actor=actor)


def set_sellable(variant: Variant, stock: int, reason: str, actor: Actor) -> None:
    """Make `stock` what can be sold: on hand becomes stock plus what is promised."""
    adjust(variant, stock + variant.allocated - variant.on_hand, reason, actor)


def move(
    variant: Variant,
    reason: str,
    *,
    on_hand: int = 0,
    allocated: int = 0,
    order: Order | None = None,
    actor: Actor | None = None,
) -> None:
    """Change the figures and write the ledger, flushed together by whoever flushes next."""
    catalogue_cache.invalidate_product(variant.product_id)
    variant.on_hand += on_hand
    variant.allocated += allocated
    db.session.add(
        StockMovement(
            variant_id=variant.id,
            on_hand_delta=on_hand,
            allocated_delta=allocated,
            reason=reason,
            order_id=order.id if order else None,
            user_id=actor.user_id if actor else None,
        )
    )


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


def _move_lines(
    order: Order, reason: str, actor: Actor, *, on_hand: int = 0, allocated: int = 0
) -> None:
    """`move` for all lines of an order, each by its quantity times `on_hand` and `allocated`.

    Two statements, however many lines there are. Variants in the session keep their old figures.
    """
    run(_MOVE_FIGURES, order_id=order.id, on_hand_by=on_hand, allocated_by=allocated)
    _write_ledger(order.id, reason, actor, on_hand=on_hand, allocated=allocated)
    _forget({line.product_id for line in order.lines})


def _write_ledger(
    order_id: int, reason: str, actor: Actor, *, on_hand: int = 0, allocated: int = 0
) -> None:
    by = {"order_id": order_id, "on_hand_by": on_hand, "allocated_by": allocated}
    run(_WRITE_LEDGER, reason=reason, user_id=actor.user_id, at=utc_now(), **by)


def _forget(products: Iterable[int]) -> None:
    for product_id in products:
        catalogue_cache.invalidate_product(product_id)


_ORDER = OrderLine.order_id == bindparam("order_id", type_=BigInteger())
_ON_HAND = bindparam("on_hand_by", type_=BigInteger())
_ALLOCATED = bindparam("allocated_by", type_=BigInteger())
# Sorted before they are locked: in the order that holds everywhere.
_HELD = (
    select(Variant.id, OrderLine.quantity, OrderLine.unit_price)
    .join(OrderLine, OrderLine.variant_id == Variant.id)
    .where(_ORDER)
    .order_by(Variant.id)
    .with_for_update(key_share=True, of=Variant)
    .subquery("held")
)
_MOVE_FIGURES = prepared(
    update(Variant)
    .where(Variant.id == _HELD.c.id)
    .values(
        on_hand=Variant.on_hand + _ON_HAND * _HELD.c.quantity,
        allocated=Variant.allocated + _ALLOCATED * _HELD.c.quantity,
    )
)
# Judged by the variants as they are once they are locked (PostgreSQL, "Read Committed").
_ALLOCATE = _MOVE_FIGURES.where(
    Variant.is_active,
    Variant.deleted_at.is_(None),
    Variant.price == _HELD.c.unit_price,
    Variant.on_hand - Variant.allocated >= _HELD.c.quantity,
)
_LEDGER_ROW = {
    StockMovement.variant_id: OrderLine.variant_id,
    StockMovement.on_hand_delta: _ON_HAND * OrderLine.quantity,
    StockMovement.allocated_delta: _ALLOCATED * OrderLine.quantity,
    StockMovement.reason: bindparam("reason", type_=String()),
    StockMovement.order_id: OrderLine.order_id,
    StockMovement.user_id: bindparam("user_id", type_=BigInteger()),
    StockMovement.at: bindparam("at", type_=StockMovement.at.type),
}
_WRITE_LEDGER = prepared(
    insert(StockMovement).from_select(
        list(_LEDGER_ROW),
        select(*_LEDGER_ROW.values()).where(_ORDER).order_by(OrderLine.variant_id),
    )
)

"""Stock: every change of a variant's figures and its row in the ledger, together.

Callers hold the variant's lock: `lock_variants` first, in one order everywhere (by id).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, and_, case, insert, literal, select, update
from sqlalchemy.orm.attributes import set_committed_value

from app.domain.actor import Actor
from app.domain.clock import utc_now
from app.errors import Conflict
from app.extensions import db
from app.models import Order, OrderLine, Product, StockMovement, Variant
from app.services import catalogue_cache


@dataclass(frozen=True)
class Wish:
    """Units of one variant that somebody wants."""

    variant_id: int
    quantity: int


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


def shortages(
    wishes: Iterable[Wish], variants: dict[int, Variant], withdrawn: Collection[int] = ()
) -> list[dict[str, object]]:
    """What cannot be promised: `{variant_id, sku, requested, available}` for each short variant.

    A variant that is no longer offered has nothing available, nor has one that is named in
    `withdrawn` because its product is not.
    """
    found = []
    for wish in wishes:
        variant = variants.get(wish.variant_id)
        gone = variant is None or wish.variant_id in withdrawn
        available = 0 if variant is None or gone else offered(variant)
        if available < wish.quantity:
            found.append(shortage(wish.variant_id, variant, wish.quantity, available))
    return found


def shortage(
    variant_id: int, variant: Variant | None, requested: int, available: int
) -> dict[str, object]:
    """One entry of `shortages` as clients see it."""
    return {
        "variant_id": variant_id,
        "sku": variant.sku if variant else None,
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


CAN_BE_HAD = case(
    (
        and_(
            Variant.is_active,
            Variant.deleted_at.is_(None),
            Product.is_active,
            Product.deleted_at.is_(None),
        ),
        Variant.on_hand - Variant.allocated,
    ),
    else_=0,
)
"""`can_be_had` for queries that read many articles at once."""


def allocate(
    order: Order,
    lines: Sequence[OrderLine],
    variants: dict[int, Variant],
    actor: Actor | None = None,
) -> None:
    """Promise stock to every line of an order, or to none of them.

    Raises:
        OutOfStock: naming every line that is short.
    """
    short = shortages((Wish(line.variant_id, line.quantity) for line in lines), variants)
    if short:
        raise OutOfStock(short)
    _move_lines(order, lines, variants, "order placed", allocated=1, actor=actor)


def release(order: Order, variants: dict[int, Variant], actor: Actor) -> None:
    """Give back what a cancelled order had been promised."""
    _move_lines(order, order.lines, variants, "order cancelled", allocated=-1, actor=actor)


def ship(order: Order, variants: dict[int, Variant], actor: Actor) -> None:
    """Take what leaves the house: on hand and allocated both fall."""
    _move_lines(
        order, order.lines, variants, "order shipped", on_hand=-1, allocated=-1, actor=actor
    )


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
    catalogue_cache.forget_product(variant.product_id)
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


def _move_lines(
    order: Order,
    lines: Sequence[OrderLine],
    variants: dict[int, Variant],
    reason: str,
    *,
    on_hand: int = 0,
    allocated: int = 0,
    actor: Actor | None = None,
) -> None:
    """`move` for all lines of an order, each by its quantity times `on_hand` and `allocated`.

    Two statements, however many lines there are.
    """
    db.session.flush()
    _update_figures(order, on_hand, allocated)
    _write_ledger(order, reason, on_hand, allocated, actor)
    for line in lines:
        variant = variants[line.variant_id]
        set_committed_value(variant, "on_hand", variant.on_hand + on_hand * line.quantity)
        set_committed_value(variant, "allocated", variant.allocated + allocated * line.quantity)
    for product_id in {variants[line.variant_id].product_id for line in lines}:
        catalogue_cache.forget_product(product_id)


def _update_figures(order: Order, on_hand: int, allocated: int) -> None:
    mine = OrderLine.order_id == order.id
    quantity = (
        select(OrderLine.quantity).where(mine, OrderLine.variant_id == Variant.id).scalar_subquery()
    )
    db.session.execute(
        update(Variant)
        .where(Variant.id.in_(select(OrderLine.variant_id).where(mine)))
        .values(
            on_hand=Variant.on_hand + on_hand * quantity,
            allocated=Variant.allocated + allocated * quantity,
        ),
        execution_options={"synchronize_session": False},
    )


def _write_ledger(
    order: Order, reason: str, on_hand: int, allocated: int, actor: Actor | None
) -> None:
    row = {
        StockMovement.variant_id: OrderLine.variant_id,
        StockMovement.on_hand_delta: on_hand * OrderLine.quantity,
        StockMovement.allocated_delta: allocated * OrderLine.quantity,
        StockMovement.reason: literal(reason),
        StockMovement.order_id: OrderLine.order_id,
        StockMovement.user_id: literal(actor.user_id if actor else None, BigInteger()),
        StockMovement.at: literal(utc_now(), StockMovement.at.type),
    }
    lines = (
        select(*row.values()).where(OrderLine.order_id == order.id).order_by(OrderLine.variant_id)
    )
    db.session.execute(insert(StockMovement).from_select(list(row), lines))

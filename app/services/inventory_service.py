"""Stock: every change of a variant's figures and its row in the ledger, together.

Callers hold the variant's lock: `lock_variants` first, in one order everywhere (by id).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from app.domain.actor import Actor
from app.errors import Conflict
from app.extensions import db
from app.models import Order, OrderLine, StockMovement, Variant
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

    Those that do not exist are missing from the answer.
    """
    query = (
        select(Variant)
        .where(Variant.id.in_(sorted(set(ids))))
        .order_by(Variant.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {variant.id: variant for variant in db.session.scalars(query)}


def shortages(wishes: Iterable[Wish], variants: dict[int, Variant]) -> list[dict[str, object]]:
    """What cannot be promised: `{variant_id, sku, requested, available}` for each short variant.

    A variant that is no longer offered has nothing available.
    """
    found: list[dict[str, object]] = []
    for wish in wishes:
        variant = variants.get(wish.variant_id)
        available = offered(variant) if variant else 0
        if available < wish.quantity:
            found.append(
                {
                    "variant_id": wish.variant_id,
                    "sku": variant.sku if variant else None,
                    "requested": wish.quantity,
                    "available": available,
                }
            )
    return found


def offered(variant: Variant) -> int:
    """Units of a variant that a buyer can have now; 0 once it is inactive or deleted."""
    return variant.available if variant.is_active and variant.deleted_at is None else 0


def allocate(order: Order, lines: Sequence[OrderLine], variants: dict[int, Variant]) -> None:
    """Promise stock to every line, or to none of them.

    Raises:
        OutOfStock: naming every line that is short.
    """
    short = shortages((Wish(line.variant_id, line.quantity) for line in lines), variants)
    if short:
        raise OutOfStock(short)
    for line in lines:
        move(variants[line.variant_id], "order placed", allocated=line.quantity, order=order)


def release(order: Order, variants: dict[int, Variant], actor: Actor) -> None:
    """Give back what a cancelled order had been promised."""
    for line in order.lines:
        move(
            variants[line.variant_id],
            "order cancelled",
            allocated=-line.quantity,
            order=order,
            actor=actor,
        )


def ship(order: Order, variants: dict[int, Variant], actor: Actor) -> None:
    """Take what leaves the house: on hand and allocated both fall."""
    for line in order.lines:
        move(
            variants[line.variant_id],
            "order shipped",
            on_hand=-line.quantity,
            allocated=-line.quantity,
            order=order,
            actor=actor,
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

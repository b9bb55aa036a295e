"""Stock for staff: corrections, and the list of the ledger."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, select

from app.db import paging
from app.db.paging import Page, Slice, SortKey
from app.domain.catalogue.variant_rules import MAX_STOCK, VariantRequired
from app.domain.people.actor import Actor
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models import Order, Product, StockMovement, Variant
from app.models.paths import at_address
from app.services.audit import trail
from app.services.inventory import inventory_service

NEWEST_FIRST = SortKey("newest movements", StockMovement.id, StockMovement.id, descending=True)


@dataclass(frozen=True)
class LedgerEntry:
    """A row of the ledger, with the number of its order, if it was for one."""

    id: int
    variant_id: int
    on_hand_delta: int
    allocated_delta: int
    reason: str
    order_number: str | None
    at: datetime


def change_stock(
    actor: Actor,
    product: str,
    reason: str,
    variant_id: int | None = None,
    delta: int | None = None,
    on_hand: int | None = None,
    expected: Mapping[int, int] | None = None,
) -> Variant:
    """Correct what is on hand of a product's variant, by `delta` or to `on_hand`.

    Args:
        expected: what the caller saw on hand, by variant id; None if that does not matter.

    Raises:
        NotFound: there is no such product.
        Invalid: `variant_required`, a variant of another product, or more than MAX_STOCK.
        Conflict: `stock_promised`; `stock_changed`, where something else is on hand than expected.
    """
    choice = _choose(_variants_of(product), variant_id)
    change = delta if delta is not None else (on_hand or 0) - choice.on_hand
    variant = inventory_service.lock_variant(choice, change)
    if variant.deleted_at is not None:
        raise NotFound("product")
    if expected is not None and expected.get(variant.id) != variant.on_hand:
        raise Conflict("stock_changed", f"{variant.on_hand} of {variant.sku} are on hand by now.")
    change = delta if delta is not None else (on_hand or 0) - variant.on_hand
    if variant.on_hand + change > MAX_STOCK:
        raise Invalid({"delta": [f"At most {MAX_STOCK} on hand."]})
    before = {"on_hand": variant.on_hand}
    inventory_service.adjust(variant, change, reason, actor)
    trail.record(actor, "variant.stock_adjusted", variant.id, before, {"on_hand": variant.on_hand})
    db.session.flush()
    return variant


def list_movements(
    product: str, page: int, per_page: int, variant_id: int | None = None
) -> Page[LedgerEntry]:
    """The ledger of a product's variants, newest first.

    Raises:
        NotFound: there is no such product.
    """
    query, order = _movements_of(product, variant_id), NEWEST_FIRST.order_by()
    movements = paging.fetch_page(query, order, page, per_page)
    return Page(
        _entries(movements.items), page, per_page, movements.total, movements.total_is_estimate
    )


def slice_of_movements(
    product: str, cursor: str, per_page: int, variant_id: int | None = None
) -> Slice[LedgerEntry]:
    """The same after a cursor; an empty one starts.

    Raises:
        NotFound: there is no such product.
        Invalid: the cursor is not one of this list.
    """
    query = _movements_of(product, variant_id)
    movements = paging.fetch_slice(query, NEWEST_FIRST, cursor, per_page)
    return Slice(_entries(movements.items), per_page, movements.next_cursor)


def _movements_of(product: str, variant_id: int | None) -> Select[StockMovement]:
    ids = [v.id for v in _variants_of(product) if variant_id in (None, v.id)]
    return select(StockMovement).where(StockMovement.variant_id.in_(ids))


def _variants_of(product: str) -> Sequence[Variant]:
    variants = db.session.scalars(
        select(Variant)
        .join(Product, Product.id == Variant.product_id)
        .where(
            at_address(Product, product), Product.deleted_at.is_(None), Variant.deleted_at.is_(None)
        )
        .order_by(Variant.position, Variant.id)
    ).all()
    if not variants:
        raise NotFound("product")
    return variants


def _choose(variants: Sequence[Variant], variant_id: int | None) -> Variant:
    active = [variant for variant in variants if variant.is_active] or variants
    if variant_id is not None:
        for variant in variants:
            if variant.id == variant_id:
                return variant
        raise Invalid({"variant_id": ["This product has no such variant."]})
    if len(active) > 1:
        raise VariantRequired()
    return active[0]


def _entries(movements: Sequence[StockMovement]) -> list[LedgerEntry]:
    ids = {movement.order_id for movement in movements if movement.order_id is not None}
    query = select(Order.id, Order.number).where(Order.id.in_(ids))
    numbers = {row.id: row.number for row in db.session.execute(query)} if ids else {}
    return [
        LedgerEntry(
            id=movement.id,
            variant_id=movement.variant_id,
            on_hand_delta=movement.on_hand_delta,
            allocated_delta=movement.allocated_delta,
            reason=movement.reason,
            order_number=numbers.get(movement.order_id or 0),
            at=movement.at,
        )
        for movement in movements
    ]

"""The shop's books: whatever happened, they have to balance."""

from sqlalchemy import case, func, select

from app.extensions import db
from app.models import Order, OrderEvent, OrderLine, StockMovement, Variant

OPEN = ("pending", "processing")
TAKEN = ("shipped", "delivered")


def assert_books_balance() -> None:
    """The ledger sums to the figures, the figures to the orders, and the orders to their lines."""
    db.session.rollback()
    assert _figures() == _ledger()
    assert {
        key: allocated for key, (_, allocated) in _figures().items() if allocated
    } == _promised()
    assert _totals() == _sums_of_lines()
    assert _statuses() == _last_events()
    assert _movements_of_orders() == _movements_due()


def _figures() -> dict[int, tuple[int, int]]:
    rows = db.session.execute(select(Variant.id, Variant.on_hand, Variant.allocated))
    return {key: (on_hand, allocated) for key, on_hand, allocated in rows}


def _ledger() -> dict[int, tuple[int, int]]:
    rows = db.session.execute(
        select(
            Variant.id,
            func.coalesce(func.sum(StockMovement.on_hand_delta), 0),
            func.coalesce(func.sum(StockMovement.allocated_delta), 0),
        )
        .outerjoin(StockMovement, StockMovement.variant_id == Variant.id)
        .group_by(Variant.id)
    )
    return {key: (int(on_hand), int(allocated)) for key, on_hand, allocated in rows}


def _promised() -> dict[int, int]:
    rows = db.session.execute(
        select(OrderLine.variant_id, func.sum(OrderLine.quantity))
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.status.in_(OPEN))
        .group_by(OrderLine.variant_id)
    )
    return {key: int(quantity) for key, quantity in rows}


def _totals() -> dict[int, int]:
    return dict(db.session.execute(select(Order.id, Order.total)).all())


def _sums_of_lines() -> dict[int, int]:
    rows = db.session.execute(
        select(OrderLine.order_id, func.sum(OrderLine.line_total)).group_by(OrderLine.order_id)
    )
    return {key: int(total) for key, total in rows}


def _statuses() -> dict[int, str]:
    return dict(db.session.execute(select(Order.id, Order.status)).all())


def _last_events() -> dict[int, str]:
    rows = db.session.execute(
        select(OrderEvent.order_id, OrderEvent.status).order_by(OrderEvent.id)
    )
    return dict(rows.all())


def _movements_of_orders() -> dict[tuple[int, int], tuple[int, int]]:
    rows = db.session.execute(
        select(
            StockMovement.order_id,
            StockMovement.variant_id,
            func.sum(StockMovement.on_hand_delta),
            func.sum(StockMovement.allocated_delta),
        )
        .where(StockMovement.order_id.is_not(None))
        .group_by(StockMovement.order_id, StockMovement.variant_id)
    )
    return {(order, variant): (int(on_hand), int(held)) for order, variant, on_hand, held in rows}


def _movements_due() -> dict[tuple[int, int], tuple[int, int]]:
    taken = case((Order.status.in_(TAKEN), -OrderLine.quantity), else_=0)
    held = case((Order.status.in_(OPEN), OrderLine.quantity), else_=0)
    rows = db.session.execute(
        select(OrderLine.order_id, OrderLine.variant_id, taken, held).join(
            Order, Order.id == OrderLine.order_id
        )
    )
    return {(order, variant): (gone, kept) for order, variant, gone, kept in rows}

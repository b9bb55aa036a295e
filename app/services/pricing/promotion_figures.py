"""What promotions did: the orders that used them, what was taken off, and what those orders came to."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from sqlalchemy import func, select

from app.db.large_sums import sum_parts, whole_sums
from app.extensions import db
from app.models import Order, OrderDiscount


class PromotionFigures(NamedTuple):
    """Of orders that are not cancelled; amounts in minor units."""

    orders: int = 0
    taken_off: int = 0
    revenue: int = 0
    """The totals of these orders."""


def figures_of(promotion_ids: Collection[int]) -> Mapping[int, PromotionFigures]:
    """The figures of these promotions, in one statement; one that was never used has none."""
    used = OrderDiscount.promotion_id
    query = (
        select(used, func.count(), *sum_parts(OrderDiscount.amount), *sum_parts(Order.total))
        .join(Order, Order.id == OrderDiscount.order_id)
        .where(used.in_(promotion_ids), Order.status != "cancelled")
        .group_by(used)
    )
    return {
        id_: PromotionFigures(orders, *whole_sums(parts))
        for id_, orders, *parts in db.session.execute(query)
        if id_ is not None
    }

"""Figures about a customer, for staff."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import case, func, select

from app.db.large_sums import sum_parts, whole_sum
from app.extensions import db
from app.models import Address, Order


@dataclass(frozen=True)
class CustomerFigures:
    """A customer's figures; `revenue` is in minor units, without cancelled orders."""

    orders: int
    revenue: int
    addresses: int
    last_order_at: datetime | None


def figures(user_id: int) -> CustomerFigures:
    """How much a customer has ordered, and how many addresses they have; two statements."""
    total = case((Order.status != "cancelled", Order.total), else_=0)
    orders, last, *parts = db.session.execute(
        select(func.count(), func.max(Order.placed_at), *sum_parts(total)).where(
            Order.user_id == user_id
        )
    ).one()
    addresses = select(func.count()).select_from(Address).where(Address.user_id == user_id)
    return CustomerFigures(orders, whole_sum(*parts), db.session.scalar(addresses) or 0, last)

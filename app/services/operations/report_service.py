"""Figures for staff: what waits, what was sold, what runs out.

Revenue is the sum of the totals of orders that are not cancelled, on the day (UTC) on which they
were placed, in minor units of the store's currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.models import Order, OrderLine, Product, Variant

DAYS = 30
FEW = 10
"""How many rows a short list has."""


@dataclass(frozen=True)
class Day:
    """What was ordered on one day; `revenue` in minor units."""

    date: date
    orders: int
    revenue: int


@dataclass(frozen=True)
class Seller:
    """A variant that sold well: the name and SKU on its newest order line, and units ordered;
    `product_id` is None where the product is deleted."""

    product_id: int | None
    sku: str
    name: str
    units: int


def waiting() -> tuple[int, Sequence[Order]]:
    """How many orders are to be fulfilled, and the oldest of them."""
    open_ones = Order.status.in_(("pending", "processing"))
    count = db.session.scalar(select(func.count()).select_from(Order).where(open_ones)) or 0
    query = select(Order).where(open_ones).order_by(Order.placed_at, Order.id).limit(FEW)
    return count, db.session.scalars(query).all()


def days(now: datetime) -> list[Day]:
    """The last DAYS days, the oldest first, those without orders too."""
    first = _first_moment(now)
    query = (
        select(func.date(Order.placed_at), func.count(), func.sum(Order.total))
        .where(Order.placed_at >= first, Order.status != "cancelled")
        .group_by(func.date(Order.placed_at))
    )
    found = {str(day): (count, int(total)) for day, count, total in db.session.execute(query)}
    dates = (first.date() + timedelta(days=number) for number in range(DAYS))
    return [Day(day, *found.get(day.isoformat(), (0, 0))) for day in dates]


def best_sellers(now: datetime) -> list[Seller]:
    """The variants of which most units were ordered in the last DAYS days, the best first."""
    units = func.sum(OrderLine.quantity)
    sold = (
        select(func.max(OrderLine.id).label("newest"), units.label("units"))
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.placed_at >= _first_moment(now), Order.status != "cancelled")
        .group_by(OrderLine.variant_id)
        .order_by(units.desc(), OrderLine.variant_id)
        .limit(FEW)
        .subquery()
    )
    query = (
        select(Product.id, OrderLine.sku, OrderLine.name, sold.c.units)
        .join(sold, sold.c.newest == OrderLine.id)
        .outerjoin(Product, and_(Product.id == OrderLine.product_id, Product.deleted_at.is_(None)))
        .order_by(sold.c.units.desc(), OrderLine.variant_id)
    )
    return [
        Seller(product_id, sku, name, int(sum_of_units))
        for product_id, sku, name, sum_of_units in db.session.execute(query)
    ]


def low_stock(threshold: int) -> Sequence[Variant]:
    """Variants on sale of which `threshold` units or fewer can be sold, the scarcest first, with
    their products."""
    available: Any = Variant.on_hand - Variant.allocated
    query = (
        select(Variant)
        .join(Variant.product)
        .where(
            available <= threshold,
            Variant.is_active,
            Variant.deleted_at.is_(None),
            Product.is_active,
            Product.deleted_at.is_(None),
        )
        .options(joinedload(Variant.product))
        .order_by(available, Variant.id)
        .limit(FEW)
    )
    return db.session.scalars(query).all()


def _first_moment(now: datetime) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=DAYS - 1)

"""Figures for staff: open orders, sales, low stock.

Revenue is the sum of the totals of orders that are not cancelled, by the day (UTC) on which they were
placed, in minor units of the store's currency.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, select
from sqlalchemy.orm import joinedload

from app.db.large_sums import sum_parts, whole_sums
from app.extensions import db
from app.models import Order, OrderLine, Product, Variant
from app.models.availability import IS_PURCHASABLE, NOT_ALLOCATED

DAYS = 30
SHORT_LIST = 10
"""Rows in a short list."""


@dataclass(frozen=True)
class DaySales:
    """The orders of one day; amounts in minor units. Tax, shipping and discounts are parts of `revenue`, or
    are taken off it."""

    date: date
    orders: int = 0
    revenue: int = 0
    tax: int = 0
    shipping: int = 0
    discounts: int = 0


@dataclass(frozen=True)
class BestSeller:
    """A variant with the units ordered. `sku` and `name` are those of its newest order line;
    `product_id` is None if the product is deleted."""

    product_id: int | None
    sku: str
    name: str
    units: int


def open_orders() -> tuple[int, Sequence[Order]]:
    """How many orders are to be fulfilled, and the oldest of them."""
    is_open = Order.status.in_(("pending", "processing"))
    count = db.session.scalar(select(func.count()).select_from(Order).where(is_open)) or 0
    query = select(Order).where(is_open).order_by(Order.placed_at, Order.id).limit(SHORT_LIST)
    return count, db.session.scalars(query).all()


def days(now: datetime) -> list[DaySales]:
    """The last DAYS days, the oldest first, including days without orders."""
    first = _first_moment(now)
    amounts = (Order.total, Order.tax_total, Order.shipping_total, Order.discount_total)
    sums = [part for amount in amounts for part in sum_parts(amount)]
    query = (
        select(func.date(Order.placed_at), func.count(), *sums)
        .where(Order.placed_at >= first, Order.status != "cancelled")
        .group_by(func.date(Order.placed_at))
    )
    sales = {
        str(day): (count, *whole_sums(parts)) for day, count, *parts in db.session.execute(query)
    }
    dates = (first.date() + timedelta(days=number) for number in range(DAYS))
    return [DaySales(day, *sales.get(day.isoformat(), ())) for day in dates]


def best_sellers(now: datetime) -> list[BestSeller]:
    """The variants with the most units ordered in the last DAYS days, the best first."""
    units = func.sum(OrderLine.quantity)
    sold = (
        select(func.max(OrderLine.id).label("newest"), units.label("units"))
        .join(Order, Order.id == OrderLine.order_id)
        .where(Order.placed_at >= _first_moment(now), Order.status != "cancelled")
        .group_by(OrderLine.variant_id)
        .order_by(units.desc(), OrderLine.variant_id)
        .limit(SHORT_LIST)
        .subquery()
    )
    query = (
        select(Product.id, OrderLine.sku, OrderLine.name, sold.c.units)
        .join(sold, sold.c.newest == OrderLine.id)
        .outerjoin(Product, and_(Product.id == OrderLine.product_id, Product.deleted_at.is_(None)))
        .order_by(sold.c.units.desc(), OrderLine.variant_id)
    )
    return [
        BestSeller(product_id, sku, name, int(sum_of_units))
        for product_id, sku, name, sum_of_units in db.session.execute(query)
    ]


def low_stock(threshold: int) -> Sequence[Variant]:
    """Variants on sale with at most `threshold` available units, the scarcest first, with their
    products."""
    query = (
        select(Variant)
        .join(Variant.product)
        .where(threshold >= NOT_ALLOCATED, IS_PURCHASABLE)
        .options(joinedload(Variant.product))
        .order_by(NOT_ALLOCATED, Variant.id)
        .limit(SHORT_LIST)
    )
    return db.session.scalars(query).all()


def _first_moment(now: datetime) -> datetime:
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=DAYS - 1)

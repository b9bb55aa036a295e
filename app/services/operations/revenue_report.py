"""Revenue for the accountant: by day and country, and taxes by name and rate.

Orders that are not cancelled count on the day (UTC) on which they were placed, in the country that they were
taxed for: of the shipping address, else of the billing address, else the shop's own. Amounts are minor units
of the store's currency; each order has a part in one row of sales, so their sums are those of the orders.
"""

from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, select

from app.db.large_sums import sum_parts, whole_sums
from app.extensions import db
from app.models import Order, OrderTax, Store

AMOUNTS = (
    Order.subtotal, Order.discount_total, Order.shipping_total, Order.tax_total, Order.total,
)  # fmt: skip


class SalesRow(NamedTuple):
    """The orders of a day to a country; `total` is what buyers pay, tax included."""

    day: date
    country: str
    orders: int
    subtotal: int
    discounts: int
    shipping: int
    tax: int
    total: int

    @property
    def net(self) -> int:
        """The total without tax."""
        return self.total - self.tax


class TaxRow(NamedTuple):
    """A tax of a day's orders to a country; `rate` in thousandths of a percent, `taxable` is net."""

    day: date
    country: str
    name: str
    rate: int
    orders: int
    taxable: int
    tax: int


def sales(first: date, last: date) -> list[SalesRow]:
    """The rows of these days, both included, by day and country."""
    sums = [part for amount in AMOUNTS for part in sum_parts(amount)]
    key = _day(), _country()
    query = select(*key, func.count(), *sums).where(*_in_period(first, last))
    rows = db.session.execute(query.group_by(*key).order_by(*key))
    return [
        SalesRow(_date(day), country, count, *whole_sums(parts))
        for day, country, count, *parts in rows
    ]


def taxes(first: date, last: date) -> list[TaxRow]:
    """The taxes of these days, both included, by day, country, name and rate."""
    key = _day(), _country(), OrderTax.name, OrderTax.rate
    sums = [part for amount in (OrderTax.taxable, OrderTax.amount) for part in sum_parts(amount)]
    query = (
        select(*key, func.count(), *sums)
        .join(OrderTax, OrderTax.order_id == Order.id)
        .where(*_in_period(first, last))
    )
    rows = db.session.execute(query.group_by(*key).order_by(*key))
    return [
        TaxRow(_date(day), country, name, rate, count, *whole_sums(parts))
        for day, country, name, rate, count, *parts in rows
    ]


def _in_period(first: date, last: date) -> tuple[ColumnElement[bool], ...]:
    begin = datetime.combine(first, datetime.min.time(), timezone.utc)
    end = datetime.combine(last, datetime.min.time(), timezone.utc) + timedelta(days=1)
    return Order.placed_at >= begin, Order.placed_at < end, Order.status != "cancelled"


def _day() -> ColumnElement[Any]:
    return func.date(Order.placed_at)


def _country() -> ColumnElement[str]:
    """The country that an order was taxed for; empty where nothing tells it."""
    return func.coalesce(
        Order.shipping_address["country"].as_string(),
        Order.billing_address["country"].as_string(),
        select(Store.country).scalar_subquery(),
        "",
    )


def _date(day: object) -> date:
    return date.fromisoformat(str(day))

"""What a promotion would have taken off the orders of the last days, had it been the only one."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import select

from app.domain.clock import utc_now
from app.domain.pricing import model as pricing
from app.domain.pricing.engine import price
from app.extensions import db
from app.models import Order, OrderLine, Product
from app.services.pricing.promotion_rules import ancestors_of, rule_of
from app.services.pricing.promotion_service import get_promotion

DAYS = 7
MAX_ORDERS = 1000
"""The newest so many orders are looked at."""
SHIPPING = 1


class PreviewedOrder(NamedTuple):
    """An order that the promotion would have applied to; amounts in minor units."""

    number: str
    subtotal: int
    taken_off: int


class Preview(NamedTuple):
    """The orders that were looked at, and those that the promotion would have applied to, newest first."""

    looked_at: int
    orders: Sequence[PreviewedOrder]

    @property
    def taken_off(self) -> int:
        """What would have been taken off in all."""
        return sum(order.taken_off for order in self.orders)

    @property
    def subtotal(self) -> int:
        """The goods of these orders at list price."""
        return sum(order.subtotal for order in self.orders)


def preview(promotion_id: int) -> Preview:
    """Price the orders of the last DAYS again with this promotion alone, whatever its dates, its codes and
    its limits. Articles count in the categories in which they are now.

    Raises:
        NotFound: there is no such promotion.
    """
    promotion = get_promotion(promotion_id).promotion
    rule = rule_of(promotion, promotion.articles)
    orders = _recent_orders()
    if rule is None:
        return Preview(len(orders), ())
    lines = _lines_of(orders)
    priced = (_price(order, lines[order.id], rule) for order in orders)
    return Preview(len(orders), [order for order in priced if order.taken_off])


def _recent_orders() -> Sequence[Any]:
    query = (
        select(Order.id, Order.number, Order.subtotal, Order.shipping_total)
        .where(Order.placed_at >= utc_now() - timedelta(days=DAYS), Order.status != "cancelled")
        .order_by(Order.placed_at.desc(), Order.id.desc())
        .limit(MAX_ORDERS)
    )
    return db.session.execute(query).all()


def _lines_of(orders: Iterable[Any]) -> dict[int, list[pricing.PricingLine]]:
    query = (
        select(
            OrderLine.order_id, OrderLine.id, OrderLine.product_id, OrderLine.unit_price,
            OrderLine.quantity, Product.category_id,
        )
        .outerjoin(Product, Product.id == OrderLine.product_id)
        .where(OrderLine.order_id.in_([order.id for order in orders]))
    )  # fmt: skip
    rows = db.session.execute(query).all()
    above = ancestors_of({row.category_id for row in rows if row.category_id is not None})
    lines = defaultdict(list)
    for row in rows:
        categories = above.get(row.category_id, frozenset())
        line = pricing.PricingLine(
            row.id, row.product_id or 0, categories, row.unit_price, row.quantity
        )
        lines[row.order_id].append(line)
    return lines


def _price(
    order: Any, lines: Sequence[pricing.PricingLine], rule: pricing.Promotion
) -> PreviewedOrder:
    shipping = pricing.ShippingMethod(
        SHIPPING, "", rates=[pricing.ShippingRate(0, order.shipping_total)]
    )
    request = pricing.PricingRequest(
        lines=lines, promotions=[replace(rule, code=None)], methods=[shipping], method_id=SHIPPING
    )
    return PreviewedOrder(order.number, order.subtotal, price(request).discount_total)

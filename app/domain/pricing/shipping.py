"""The ways to ship that a cart can be sent by, and their prices."""

from collections.abc import Iterable, Sequence

from app.domain.pricing.model import OfferedMethod, PricingLine, ShippingMethod


def offer_methods(
    methods: Iterable[ShippingMethod], lines: Sequence[PricingLine], goods_total: int
) -> list[OfferedMethod]:
    """Those of the methods that take this cart.

    Args:
        goods_total: the goods after promotions, in minor units.
    """
    weight = sum(line.weight * line.quantity for line in lines if line.requires_shipping)
    measures = {"flat": 0, "subtotal": goods_total, "weight": weight}
    prices = ((method, _price(method, measures[method.basis], goods_total)) for method in methods)
    return [OfferedMethod(method, price) for method, price in prices if price is not None]


def _price(method: ShippingMethod, measure: int, goods_total: int) -> int | None:
    """The price by the last row of the table that has begun; None above its end."""
    rows = [rate for rate in method.rates if rate.from_ <= measure]
    if not rows:
        return None
    rate = max(rows, key=lambda rate: rate.from_)
    if rate.until is not None and measure > rate.until:
        return None
    is_free = method.free_from is not None and goods_total >= method.free_from
    return 0 if is_free else rate.price

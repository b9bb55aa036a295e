"""The sums of an order, in minor units."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Totals:
    """The sums of an order, in minor units."""

    subtotal: int
    discount_total: int = 0
    shipping_total: int = 0
    tax_total: int = 0

    @property
    def total(self) -> int:
        """What the buyer pays."""
        return self.subtotal - self.discount_total + self.shipping_total + self.tax_total


def line_total(unit_price: int, quantity: int) -> int:
    """What one line costs."""
    return unit_price * quantity


def totals(lines: Iterable[tuple[int, int]]) -> Totals:
    """The sums for lines of (unit price, quantity)."""
    return Totals(subtotal=sum(line_total(price, quantity) for price, quantity in lines))

"""Prices a cart: loads what may apply to it, and calls the pricing engine."""

from collections.abc import Iterable
from typing import Protocol

from app.domain.pricing.engine import price
from app.domain.pricing.model import NOTHING, Pricing, PricingLine, PricingRequest


class Line(Protocol):
    """A line of a cart with its article as it is now."""

    @property
    def line_id(self) -> int: ...
    @property
    def product_id(self) -> int: ...
    @property
    def price(self) -> int: ...
    @property
    def quantity(self) -> int: ...


def price_lines(lines: Iterable[Line]) -> Pricing:
    return price(PricingRequest([_pricing_line(line) for line in lines]))


def _pricing_line(line: Line) -> PricingLine:
    return PricingLine(line.line_id, line.product_id, NOTHING, line.price, line.quantity)

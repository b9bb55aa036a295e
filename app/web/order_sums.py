"""The sums below an order, a quote or a mail: how the total comes about."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from app.domain.pricing.percent import percent_text


class NamedDiscount(Protocol):
    """A discount of an order or of a quote."""

    @property
    def name(self) -> str:
        """The promotion's name."""

    @property
    def code(self) -> str | None:
        """The code that it was given for."""

    @property
    def amount(self) -> int:
        """In minor units."""


class NamedTax(Protocol):
    """A tax of an order or of a quote."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def rate(self) -> int:
        """In thousandths of a percent."""

    @property
    def amount(self) -> int:
        """In minor units."""


class Priced(Protocol):
    """An order, or what a cart is priced at."""

    @property
    def subtotal(self) -> int:
        """The lines before discounts."""

    @property
    def discounts(self) -> Sequence[NamedDiscount]:
        """What is taken off."""

    @property
    def shipping_total(self) -> int:
        """Before free shipping."""

    @property
    def taxes(self) -> Sequence[NamedTax]:
        """The taxes."""

    @property
    def tax_included(self) -> bool:
        """Whether prices include them."""

    @property
    def total(self) -> int:
        """What is paid."""


class Sums(NamedTuple):
    """What leads to the total, and the taxes that are in it; amounts in minor units, by name."""

    rows: list[tuple[str, int]]
    total: int
    included: list[tuple[str, int]]


def sums_of(order: Priced, method: str | None = None) -> Sums:
    """The sums of an order that is shipped by this method. Where only articles make up the total, there
    are no rows."""
    taxes = [(f"{tax.name} {percent_text(tax.rate)} %", tax.amount) for tax in order.taxes]
    extras = [(_title(discount), -discount.amount) for discount in order.discounts]
    if order.shipping_total or method:
        extras.append((f"Shipping: {method}" if method else "Shipping", order.shipping_total))
    if not order.tax_included:
        extras += taxes
    rows = [("Subtotal", order.subtotal), *extras] if extras else []
    return Sums(rows, order.total, taxes if order.tax_included else [])


def _title(discount: NamedDiscount) -> str:
    return f"{discount.name} ({discount.code})" if discount.code else discount.name

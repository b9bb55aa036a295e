"""The settings of the shop as one value."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.domain.countries import country_name
from app.domain.payment_methods import PaymentMethod

RECOMMENDED = ("legal_name", "email", "address", "country", "vat_id")
"""Settings that mail and invoices need, in the order in which staff are asked for them."""


@dataclass(frozen=True)
class StoreAddress:
    """The shop's address, in the shop's country. An empty text stands for a line that it lacks.

    `name` is that of the addressee, where it is not the seller's.
    """

    line1: str
    city: str
    name: str = ""
    line2: str = ""
    region: str = ""
    postal_code: str = ""
    phone: str = ""


@dataclass(frozen=True)
class StoreSettings:
    """The settings of the shop. None stands for what is not set yet."""

    name: str
    currency: str
    locale: str
    payment_methods: tuple[PaymentMethod, ...]
    legal_name: str | None = None
    email: str | None = None
    address: StoreAddress | None = None
    country: str | None = None
    vat_id: str | None = None
    prices_include_tax: bool = True
    hold_minutes: int = 30
    prepayment_days: int = 7
    return_days: int = 30
    invoice_days: int = 14
    version: int = 0

    @property
    def seller(self) -> str:
        """The name under which the shop sells: the legal one, if there is one."""
        return self.legal_name or self.name

    @property
    def address_lines(self) -> tuple[str, ...]:
        """The lines below the seller's name on an envelope; the country in the store's language."""
        return tuple(line for line in self._lines() if line)

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of RECOMMENDED are not set."""
        return tuple(name for name in RECOMMENDED if getattr(self, name) is None)

    def _lines(self) -> Iterator[str]:
        if self.address:
            address = self.address
            yield from (address.name, address.line1, address.line2)
            yield f"{address.postal_code} {address.city}".strip()
            yield address.region
        if self.country:
            yield country_name(self.country, self.locale)

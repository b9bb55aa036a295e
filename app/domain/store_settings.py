"""The settings of the shop as one value."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from app.domain.countries import country_name
from app.domain.payment_methods import PaymentMethod
from app.domain.vat_ids import COUNTRY_OF_PREFIX

REQUIRED = ("legal_name", "email", "address", "country")
"""Settings that mail and invoices need; in countries whose ids can be checked also `vat_id`."""


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


class StoreDetails(NamedTuple):
    """What every page shows of the shop; None or nothing where it is not set."""

    name: str
    seller: str
    address_lines: Sequence[str]
    email: str | None
    vat_id: str | None


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
    setup_postponed_until: datetime | None = None
    """Until then staff are not asked for what is missing."""
    version: int = 1

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
        """What mail and invoices need and is not set."""
        has_vat_ids = self.country in COUNTRY_OF_PREFIX.values()
        names = (*REQUIRED, "vat_id") if has_vat_ids else REQUIRED
        return tuple(name for name in names if getattr(self, name) is None)

    def asks_for_setup(self, now: datetime) -> bool:
        """Whether something is missing that staff have not put off."""
        postponed = self.setup_postponed_until is not None and now < self.setup_postponed_until
        return bool(self.missing) and not postponed

    @property
    def details(self) -> StoreDetails:
        """What every page shows."""
        return StoreDetails(self.name, self.seller, self.address_lines, self.email, self.vat_id)

    def _lines(self) -> Iterator[str]:
        if self.address:
            address = self.address
            yield from (address.name, address.line1, address.line2)
            yield f"{address.postal_code} {address.city}".strip()
            yield address.region
        if self.country:
            yield country_name(self.country, self.locale)

"""Tax rates: what staff set, and those that count for an order."""

from collections.abc import Sequence
from typing import TypedDict

from sqlalchemy import bindparam, select

from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.db.prepared import prepared, run
from app.domain.people.actor import Actor
from app.domain.pricing import model as pricing
from app.domain.pricing.starter_rates import StarterSet
from app.errors import Conflict
from app.extensions import db
from app.models import TaxRate
from app.services.audit import trail
from app.services.pricing.rows import get_row, lock_row

KIND = "tax rate"
BY_COUNTRY = SortKey("tax rates by country", TaxRate.country, TaxRate.id)
FIELDS = ("name", "country", "region", "tax_class", "rate", "is_active")


class TaxRateInput(TypedDict, total=False):
    """The fields that staff set; `rate` in thousandths of a percent, `region` empty for the whole country."""

    name: str
    country: str
    region: str
    tax_class: str
    rate: int
    is_active: bool


def page_of_rates(page: int, per_page: int) -> Page[TaxRate]:
    """The tax rates by country, those of one country oldest first."""
    return fetch_page(select(TaxRate), BY_COUNTRY.order_by(), page, per_page)


def slice_of_rates(cursor: str, per_page: int) -> Slice[TaxRate]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    return fetch_slice(select(TaxRate), BY_COUNTRY, cursor, per_page)


def get_rate(rate_id: int) -> TaxRate:
    """One tax rate. Raises NotFound."""
    return get_row(TaxRate, rate_id, KIND)


def create_rate(actor: Actor, fields: TaxRateInput) -> TaxRate:
    """Add a tax rate.

    Raises:
        Conflict: `tax_rate_taken`.
    """
    rate = TaxRate(**fields)
    _refuse_second(rate)
    db.session.add(rate)
    db.session.flush()
    trail.record(actor, "tax_rate.created", rate.id, {}, _state(rate))
    return rate


def add_starter_set(actor: Actor, starter: StarterSet) -> int:
    """Add the rates of a set that are not there yet; how many were added. Those of the shop stay."""
    countries = {rate.country for rate in starter.rates}
    key = (TaxRate.country, TaxRate.region, TaxRate.tax_class, TaxRate.name)
    known = {
        tuple(row) for row in db.session.execute(select(*key).where(TaxRate.country.in_(countries)))
    }
    rates = [
        TaxRate(**rate._asdict(), is_active=starter.is_active)
        for rate in starter.rates
        if (rate.country, rate.region, rate.tax_class, rate.name) not in known
    ]
    db.session.add_all(rates)
    db.session.flush()
    for rate in rates:
        trail.record(actor, "tax_rate.created", rate.id, {}, _state(rate))
    return len(rates)


def edit_rate(actor: Actor, rate_id: int, changes: TaxRateInput) -> TaxRate:
    """Change the fields that are given. Orders keep the tax that they were placed with.

    Raises:
        NotFound: there is no such rate.
        Conflict: `tax_rate_taken`.
    """
    rate = lock_row(TaxRate, rate_id, KIND)
    before = _state(rate)
    for name, value in changes.items():
        setattr(rate, name, value)
    with db.session.no_autoflush:
        _refuse_second(rate)
    db.session.flush()
    trail.record(actor, "tax_rate.edited", rate.id, before, _state(rate))
    return rate


def delete_rate(actor: Actor, rate_id: int) -> None:
    """Remove a tax rate. Raises NotFound."""
    rate = lock_row(TaxRate, rate_id, KIND)
    trail.record(actor, "tax_rate.deleted", rate.id, _state(rate))
    db.session.delete(rate)


_OF_COUNTRIES = prepared(
    select(TaxRate.name, TaxRate.country, TaxRate.region, TaxRate.tax_class, TaxRate.rate)
    .where(TaxRate.is_active, TaxRate.country.in_([bindparam("there"), bindparam("home")]))
    .order_by(TaxRate.id)
)


def rates_for(
    destination: pricing.Destination | None, home_country: str | None
) -> list[pricing.TaxRate]:
    """The active rates of where an order goes, and of the shop's own country."""
    there = destination.country if destination else None
    rows = run(_OF_COUNTRIES, there=there, home=home_country)
    return [pricing.TaxRate._make(row) for row in rows]


def _refuse_second(rate: TaxRate) -> None:
    same = select(TaxRate.id).where(
        TaxRate.country == rate.country,
        TaxRate.region == (rate.region or ""),
        TaxRate.tax_class == (rate.tax_class or pricing.STANDARD),
        TaxRate.name == rate.name,
    )
    other: Sequence[int] = db.session.scalars(same).all()
    if set(other) - {rate.id}:
        detail = "This place has a rate of this name for the class already."
        raise Conflict("tax_rate_taken", detail)


def _state(rate: TaxRate) -> dict[str, object]:
    return {name: getattr(rate, name) for name in FIELDS}

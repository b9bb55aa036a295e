"""The taxes of an order: which rates count where it goes, and what each line bears.

Tax is worked out on what is left of lines and of shipping after discounts, and rounded half up once:
for each tax where prices are without tax, for all taxes of a set of lines where prices include them.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from app.domain.countries import EU_COUNTRIES
from app.domain.pricing.model import (
    STANDARD,
    ZERO,
    Destination,
    PricingRequest,
    Tax,
    TaxRate,
    TaxTreatment,
)
from app.domain.pricing.percent import WHOLE, divide_half_up
from app.domain.pricing.shares import spread

NameAndRate = tuple[str, int]


class TaxableItem(NamedTuple):
    """A line, or shipping, and what is left of it in minor units."""

    tax_class: str
    left: int


class TaxResult(NamedTuple):
    """The taxes of an order, and the tax of each of its items."""

    taxes: Sequence[Tax]
    amounts: Sequence[int]


def tax_destination(request: PricingRequest) -> Destination | None:
    """Where an order is taxed: where it goes, else the shop's own country."""
    if request.destination is not None or request.home_country is None:
        return request.destination
    return Destination(request.home_country)


def treatment(request: PricingRequest) -> TaxTreatment:
    """How an order is taxed.

    Nothing is taxed where a business of another country of the EU than the shop's, by its VAT id,
    has it shipped there (Directive 2006/112/EC, article 138); nor in a country for which the shop
    has no rate, if it has rates for its own.
    """
    destination = tax_destination(request)
    if destination is None:
        return "standard"
    pair = {request.vat_country, request.home_country}
    if destination.country == request.vat_country and len(pair) == 2 and pair <= EU_COUNTRIES:
        return "reverse_charge"
    if any(_counts(rate, destination) for rate in request.rates):
        return "standard"
    home = request.home_country
    is_abroad = destination.country != home
    is_taxed_at_home = any(rate.country == home for rate in request.rates)
    return "export" if is_abroad and is_taxed_at_home else "standard"


def work_out_taxes(
    items: Sequence[TaxableItem],
    rates: Sequence[TaxRate],
    destination: Destination | None,
    is_included: bool,
) -> TaxResult:
    """The taxes of these items where they go."""
    borne = _borne_by_class({item.tax_class for item in items}, rates, destination)
    if is_included:
        return _included(items, borne)
    return _added(items, borne)


def _counts(rate: TaxRate, destination: Destination) -> bool:
    return rate.country == destination.country and rate.region in ("", destination.region)


def _borne_by_class(
    tax_classes: Iterable[str], rates: Sequence[TaxRate], destination: Destination | None
) -> dict[str, tuple[NameAndRate, ...]]:
    if destination is None:
        return dict.fromkeys(tax_classes, ())
    local = [rate for rate in rates if _counts(rate, destination)]
    return {tax_class: _borne(tax_class, local) for tax_class in tax_classes}


def _borne(tax_class: str, rates: Iterable[TaxRate]) -> tuple[NameAndRate, ...]:
    """The taxes of a class, by name. Of each name one rate counts: a region's before its country's,
    and one of the class before that of the standard class."""
    if tax_class == ZERO:
        return ()
    fitting = [rate for rate in rates if rate.tax_class in (tax_class, STANDARD)]
    fitting.sort(key=lambda rate: (rate.region != "", rate.tax_class == tax_class))
    return tuple(sorted({rate.name: rate.rate for rate in fitting}.items()))


def _added(items: Sequence[TaxableItem], borne: Mapping[str, Sequence[NameAndRate]]) -> TaxResult:
    """Taxes that come on top of prices, each rounded once for the order."""
    places: dict[NameAndRate, list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        for tax in borne[item.tax_class]:
            places[tax].append(place)
    amounts, taxes = [0] * len(items), []
    for name, rate in sorted(places):
        lefts = [items[place].left for place in places[name, rate]]
        amount = divide_half_up(sum(lefts) * rate, WHOLE)
        taxes.append(Tax(name, rate, sum(lefts), amount))
        _add(amounts, places[name, rate], spread(amount, lefts))
    return TaxResult([tax for tax in taxes if tax.amount], amounts)


def _included(
    items: Sequence[TaxableItem], borne: Mapping[str, tuple[NameAndRate, ...]]
) -> TaxResult:
    """Taxes that prices include, rounded once for each set of taxes and shared among its names."""
    places: dict[tuple[NameAndRate, ...], list[int]] = defaultdict(list)
    for place, item in enumerate(items):
        if borne[item.tax_class]:
            places[borne[item.tax_class]].append(place)
    amounts = [0] * len(items)
    sums: dict[NameAndRate, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for taxes, members in places.items():
        lefts = [items[place].left for place in members]
        gross, whole = sum(lefts), sum(rate for _name, rate in taxes)
        amount = divide_half_up(gross * whole, WHOLE + whole)
        parts = spread(amount, [rate for _name, rate in taxes])
        for tax, part in zip(taxes, parts, strict=True):
            taxable, before = sums[tax]
            sums[tax] = (taxable + gross - amount, before + part)
            rooms = [items[place].left - amounts[place] for place in members]
            _add(amounts, members, spread(part, lefts, rooms))
    rows = [Tax(name, rate, *sums[name, rate]) for name, rate in sorted(sums)]
    return TaxResult([row for row in rows if row.amount], amounts)


def _add(amounts: list[int], places: Iterable[int], shares: Iterable[int]) -> None:
    for place, share in zip(places, shares, strict=True):
        amounts[place] += share

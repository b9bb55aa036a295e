"""Tax rates to start with, by country. They are a help, not advice: staff have to check them.

`reduced` is a country's lower reduced rate, `reduced-higher` the other one where it has two. Rates below those,
and rates for single kinds of goods, are left out.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import NamedTuple

from app.domain.pricing.model import STANDARD, TaxRate

AS_OF = date(2026, 1, 1)
"""The day on which the rates held."""
REDUCED, HIGHER = "reduced", "reduced-higher"


class StarterSet(NamedTuple):
    """Rates that are added together; where they come from; whether they count at once."""

    key: str
    name: str
    source: str
    rates: Sequence[TaxRate]
    is_active: bool = True


def _european_union() -> Iterator[TaxRate]:
    for country, *rates in (row.split() for row in _EU.split(",")):
        yield from _one_country(country, "VAT", *rates)
    for region in ("CN", "CE", "ML"):  # outside the Union's VAT area
        yield TaxRate("VAT", "ES", region, STANDARD, 0)
    for region, standard, reduced, higher in (("20", 16, 4, 9), ("30", 22, 4, 12)):
        for tax_class, rate in ((STANDARD, standard), (REDUCED, reduced), (HIGHER, higher)):
            yield TaxRate("VAT", "PT", region, tax_class, rate * 1000)


def _canada() -> Iterator[TaxRate]:
    yield TaxRate("GST", "CA", "", STANDARD, 5000)
    for region, rate in (("NB", 15), ("NL", 15), ("NS", 14), ("ON", 13), ("PE", 15)):
        yield TaxRate("GST", "CA", region, STANDARD, 0)
        yield TaxRate("HST", "CA", region, STANDARD, rate * 1000)
    yield TaxRate("PST", "CA", "BC", STANDARD, 7000)
    yield TaxRate("RST", "CA", "MB", STANDARD, 7000)
    yield TaxRate("PST", "CA", "SK", STANDARD, 6000)
    yield TaxRate("QST", "CA", "QC", STANDARD, 9975)


def _one_country(country: str, name: str, *rates: str) -> list[TaxRate]:
    classes = (STANDARD, REDUCED, HIGHER)
    return [
        TaxRate(name, country, "", tax_class, _thousandths(rate))
        for tax_class, rate in zip(classes, rates, strict=False)
    ]


def _thousandths(percent: str) -> int:
    whole, _, places = percent.partition(".")
    return int(whole) * 1000 + int(places.ljust(3, "0"))


_EU = (
    "AT 20 10 13,BE 21 6 12,BG 20 9,CY 19 5 9,CZ 21 12,DE 19 7,DK 25,EE 24 9 13,ES 21 10,FI 25.5 10 13.5,"
    "FR 20 5.5 10,GR 24 6 13,HR 25 5 13,HU 27 5 18,IE 23 9 13.5,IT 22 5 10,LT 21 5 12,LU 17 8,LV 21 5 12,"
    "MT 18 5 7,NL 21 9,PL 23 5 8,PT 23 6 13,RO 21 11,SE 25 6 12,SI 22 5 9.5,SK 23 5 19"
)
_US = (
    "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH"
    " OK OR PA RI SC SD TN TX UT VT VA WA WV WI WY"
)

STARTER_SETS = (
    StarterSet(
        "eu",
        "European Union: standard and reduced rates",
        "European Commission, Taxes in Europe Database",
        tuple(_european_union()),
    ),
    StarterSet(
        "gb",
        "United Kingdom",
        "HM Revenue and Customs, VAT rates",
        _one_country("GB", "VAT", "20", "5"),
    ),
    StarterSet(
        "ch",
        "Switzerland",
        "Swiss Federal Tax Administration, VAT rates",
        _one_country("CH", "VAT", "8.1", "2.6", "3.8"),
    ),
    StarterSet(
        "no",
        "Norway",
        "Norwegian Tax Administration, VAT rates",
        _one_country("NO", "VAT", "25", "12", "15"),
    ),
    StarterSet(
        "ca",
        "Canada: GST, HST and the sales taxes of the provinces",
        "Canada Revenue Agency, and the tax authorities of the provinces",
        tuple(_canada()),
    ),
    StarterSet(
        "us",
        "United States: a row for each state, switched off, without a rate",
        "none: sales taxes depend on where the shop has to collect them",
        tuple(TaxRate("Sales tax", "US", state, STANDARD, 0) for state in _US.split()),
        is_active=False,
    ),
)
"""By key, in the order in which they are shown."""

"""The pricing engine: cases from other shops' bugs, its properties, and a second opinion."""

from dataclasses import replace
from random import Random

import pytest

from app.domain.pricing.engine import price
from app.domain.pricing.model import (
    Destination,
    PricingLine,
    PricingRequest,
    Promotion,
    ShippingMethod,
    ShippingRate,
    TaxRate,
)
from app.domain.pricing.shares import units_share
from tests.unit.money import pricing_oracle

CARTS = 10_000


def line(id_, unit_price, quantity=1, **fields):
    return PricingLine(id_, id_, frozenset(), unit_price, quantity, **fields)


def vat(rate, country="DE", name="VAT", region="", tax_class="standard"):
    return TaxRate(name, country, region, tax_class, rate)


def off(kind, value, **fields):
    return Promotion(1, "Offer", kind, value, **fields)


def in_germany(lines, promotions=(), rate=19_000, included=True, **fields):
    return price(
        PricingRequest(
            lines, promotions, rates=[vat(rate)], home_country="DE", prices_include_tax=included,
            **fields,
        )
    )  # fmt: skip


SIX_FORTY_FOUR = ShippingMethod(1, "Parcel", [ShippingRate(0, 644)], tax_class="zero")
CASES = {
    "39: tax is whole": (
        in_germany([line(1, 2499)], rate=10_750, included=False, methods=[SIX_FORTY_FOUR], method_id=1),
        {"tax_total": 269, "total": 3412},
    ),
    "40: all taken off": (
        in_germany([line(1, 39900)], [off("percentage", 100_000)]), {"tax_total": 0, "total": 0},
    ),
    "44: net is gross less tax": (in_germany([line(1, 799)]), {"tax_total": 128, "total": 799}),
    "46: as one line": (
        in_germany([line(1, 7000, 3)], [off("fixed_amount", 500)], 20_000, included=False),
        {"tax_total": 4100},
    ),
    "46: as three lines": (
        in_germany(
            [line(n, 7000) for n in (1, 2, 3)], [off("fixed_amount", 500)], 20_000, included=False
        ),
        {"tax_total": 4100},
    ),
    "23: ten at a quarter off": (
        in_germany([line(1, 2390, 10)], [off("percentage", 25_000)], 20_000),
        {"tax_total": 2988, "total": 17925},
    ),
    "49: ten percent of 15.95": (
        in_germany([line(1, 1595)], [off("percentage", 10_000)]), {"discount_total": 160},
    ),
    "50: half up on the discount": (
        in_germany([line(1, 1999)], [off("percentage", 25_000)]),
        {"discount_total": 500, "total": 1499},
    ),
    "51: never below zero": (
        in_germany([line(1, 3000)], [off("fixed_amount", 4500)]),
        {"discount_total": 3000, "total": 0},
    ),
    "53: tax is paid back, too": (
        in_germany([line(1, 1000)], included=False), {"tax_total": 190, "total": 1190},
    ),
    "70: once a line": (
        in_germany([line(1, 6715)], [off("percentage", 15_000)] * 3), {"total": 5708},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_cases_of_other_shops(case):
    pricing, figures = CASES[case]
    assert {name: getattr(pricing, name) for name in figures} == figures


def test_a_discount_belongs_to_its_lines():
    """27, 29, and those that were read in other shops' code."""

    def paid(prices, promotion):
        lines = [line(n, amount) for n, amount in enumerate(prices, 1)]
        return [row.total for row in price(PricingRequest(lines, [promotion])).lines]

    assert paid([600, 400], off("percentage", 10_000)) == [540, 360]
    assert paid([3000, 2000], off("fixed_amount", 1000)) == [2400, 1600]
    assert paid([100] * 10, off("fixed_amount", 15)) == [98] * 5 + [99] * 5
    assert paid([100, 100], off("fixed_amount", 1)) == [99, 100]
    assert paid([100, 0], off("fixed_amount", 1)) == [99, 0]


def test_shares_of_units():
    """23, 30: whatever the steps, they add up."""
    assert [units_share(17925, 10, n, 1) for n in range(2)] == [1792, 1793]
    assert sum(units_share(17925, 10, n, 1) for n in range(10)) == 17925
    assert (units_share(12000, 20, 0, 18), units_share(12000, 20, 18, 2)) == (10800, 1200)


def test_taxes_of_a_region_and_classes():
    rates = [
        vat(5_000, "CA", "GST"), vat(9_975, "CA", "QST", "QC"), vat(0, "CA", "GST", "", "books"),
        vat(21_000, "ES"), vat(0, "ES", region="TF"),
    ]  # fmt: skip

    def taxes(country, region, tax_class="standard"):
        request = PricingRequest(
            [line(1, 10000, tax_class=tax_class)], rates=rates, prices_include_tax=False,
            destination=Destination(country, region),
        )  # fmt: skip
        return {tax.name: tax.amount for tax in price(request).taxes}

    assert taxes("CA", "QC") == {"GST": 500, "QST": 998}
    assert taxes("CA", "QC", "books") == {"QST": 998}
    assert taxes("CA", "ON", "odd") == {"GST": 500}
    assert taxes("CA", "QC", "zero") == taxes("ES", "TF") == {}
    assert taxes("ES", "") == {"VAT": 2100}


def test_no_line_bears_more_tax_than_it_costs():
    """Two taxes, each of which is spread over lines of a unit, meet on different lines."""
    lines = [line(n, 1) for n in range(1, 13)]
    two = [vat(5_000, "CA", "GST"), vat(9_975, "CA", "QST", "QC")]
    quebec = price(PricingRequest(lines, rates=two, destination=Destination("CA", "QC")))
    assert [row.tax_total for row in quebec.lines] == [1, 1] + [0] * 10
    home = [vat(9_000, "CA", "A"), vat(9_000, "CA", "B")]
    export = PricingRequest(
        lines[:10], rates=home, destination=Destination("US"), home_country="CA"
    )
    assert [row.total for row in price(export).lines] == [0, 0] + [1] * 8


def test_what_stays_in_the_country_is_no_export():
    sales = [vat(7_250, "US", "Sales", "CA")]
    request = PricingRequest([line(1, 1000)], rates=sales, home_country="US")
    for destination in (None, Destination("US", "OR")):
        assert price(replace(request, destination=destination)).tax_treatment == "standard"
    assert price(replace(request, destination=Destination("MX"))).tax_treatment == "export"


@pytest.mark.parametrize(("product", "applies"), [(1, True), (99, False)])
def test_free_shipping_needs_an_article_that_it_names(product, applies):
    free = off("free_shipping", 0, product_ids=frozenset({product}), code="FREE")
    pricing = price(PricingRequest([line(1, 1000)], [free], [SIX_FORTY_FOUR], 1))
    assert (pricing.discount_total, pricing.applied_codes) == (
        (644, {"FREE"}) if applies else (0, frozenset())
    )


def random_request(rng):
    """A cart of up to six lines with whatever may come together."""
    classes = ("standard", "reduced", "zero", "books")
    lines = [
        PricingLine(
            id_, rng.randint(1, 5), frozenset(rng.sample(range(1, 5), rng.randint(0, 2))),
            rng.choice([0, 1, 99, 1999, rng.randint(0, 10**6)]), rng.randint(1, 7),
            rng.choice(classes), rng.choice([0, 250]), rng.random() < 0.8,
        )
        for id_ in rng.sample(range(1, 50), rng.randint(1, 6))
    ]  # fmt: skip
    return PricingRequest(
        lines,
        promotions=[random_promotion(rng, id_) for id_ in range(1, rng.randint(1, 6))],
        methods=[random_method(rng, id_) for id_ in (1, 2)],
        method_id=rng.choice([None, 1, 2, 3]),
        rates=list(
            {(r.name, r.country, r.region, r.tax_class): r for r in random_rates(rng)}.values()
        ),
        destination=rng.choice(
            [None, Destination("DE"), Destination("FR"), Destination("US"), Destination("DE", "BY")]
        ),
        home_country=rng.choice(["DE", "DE", None]),
        vat_country=rng.choice([None, None, "FR", "DE"]),
        prices_include_tax=rng.random() < 0.5,
    )


def random_promotion(rng, id_):
    kind = rng.choice(["percentage", "fixed_amount", "free_shipping", "buy_x_get_y"])
    values = {"percentage": rng.randint(1, 100_000), "fixed_amount": rng.randint(1, 5000)}
    some = lambda: frozenset(rng.sample(range(1, 6), rng.randint(0, 2)))  # noqa: E731
    return Promotion(
        id_, "Offer", kind, values.get(kind, rng.choice([50_000, 100_000])), some(), some(),
        min_subtotal=rng.choice([0, 0, 3000]), min_quantity=rng.choice([0, 0, 3]),
        buy_quantity=rng.randint(1, 2), get_quantity=rng.randint(1, 2),
        get_product_ids=some(), max_sets=rng.choice([None, 1]), priority=rng.randint(0, 2),
        exclusive=rng.random() < 0.15, code=rng.choice([None, f"C{id_}"]),
    )  # fmt: skip


def random_method(rng, id_):
    basis = rng.choice(["flat", "subtotal", "weight"])
    begins = [0] if basis == "flat" else rng.sample(range(0, 3000, 250), 2)
    rates = [
        ShippingRate(begin, rng.randint(0, 999), rng.choice([None, begin + 400]))
        for begin in begins
    ]
    return ShippingMethod(
        id_, "Parcel", rates, basis, free_from=rng.choice([None, 5000]),
        tax_class=rng.choice(["standard", "reduced", "zero"]),
    )  # fmt: skip


def random_rates(rng):
    return [
        TaxRate(
            rng.choice("AB"), rng.choice(["DE", "DE", "FR"]), rng.choice(["", "BY"]),
            rng.choice(["standard", "reduced"]), rng.choice([0, 7_000, 9_975, 19_000]),
        )
        for _ in range(rng.randint(0, 6))
    ]  # fmt: skip


def figures(pricing):
    return {
        "subtotal": pricing.subtotal,
        "discounts": [(row.promotion_id, row.kind, row.amount) for row in pricing.discounts],
        "discount_total": pricing.discount_total,
        "shipping_total": pricing.shipping_total,
        "tax_total": pricing.tax_total,
        "treatment": pricing.tax_treatment,
        "taxes": [tuple(tax) for tax in pricing.taxes],
        "offers": {offer.method.id: offer.price for offer in pricing.offers},
        "total": pricing.total,
        "lines": [tuple(row) for row in pricing.lines],
    }


@pytest.mark.thorough
def test_another_implementation_agrees_on_ten_thousand_carts():
    rng = Random(16)
    for _ in range(CARTS):
        request = random_request(rng)
        assert figures(price(request)) == pricing_oracle.price(request), request


@pytest.mark.thorough
def test_properties_of_every_price():
    rng = Random(4)
    for _ in range(2_000):
        request = random_request(rng)
        pricing = price(request)
        assert min(pricing.total, pricing.discount_total, pricing.shipping_total) >= 0
        by_id = {row.id: row for row in request.lines}
        for row in pricing.lines:
            assert 0 <= row.discount_total <= by_id[row.id].list_total
        assert (
            sum(row.discount_total for row in pricing.lines) + pricing.shipping_discount
            == pricing.discount_total
            == sum(row.amount for row in pricing.discounts)
        )
        assert (
            sum(row.tax_total for row in pricing.lines) + pricing.shipping_tax
            == pricing.tax_total
            == sum(tax.amount for tax in pricing.taxes)
        )
        shuffled = replace(request, lines=rng.sample(list(request.lines), len(request.lines)))
        assert price(shuffled) == pricing
        plain = price(PricingRequest(request.lines))
        assert plain.total == plain.subtotal == pricing.subtotal

"""The pricing engine at the edges of its rules, with figures that are worked out by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from app.domain.pricing.percent import MAX_PERCENT, NotPercent, percent_text, read_percent
from app.domain.pricing.promotions import applies_alone

HOME = [TaxRate("VAT", "DE", "", "standard", 19_000), TaxRate("VAT", "DE", "", "books", 7_000)]
PARCEL = ShippingMethod(1, "Parcel", [ShippingRate(0, 595)])


def line(id_, unit_price, quantity=1, **fields):
    return PricingLine(id_, id_, frozenset(), unit_price, quantity, **fields)


def offer(id_, kind, value=0, **fields):
    return Promotion(id_, "Offer", kind, value, **fields)


def ids(*numbers):
    return frozenset(numbers)


def relieved(country, vat_country=None, included=True):
    return price(
        PricingRequest(
            [line(1, 11900), line(2, 1070, tax_class="books"), line(3, 500, tax_class="zero")],
            methods=[PARCEL], method_id=1, rates=HOME, destination=Destination(country),
            home_country="DE", vat_country=vat_country, prices_include_tax=included,
        )
    )  # fmt: skip


@pytest.mark.parametrize(
    ("country", "vat_country", "treatment"),
    [("US", None, "export"), ("FR", "FR", "reverse_charge"), ("GR", "GR", "reverse_charge")],
)
def test_the_tax_of_the_shops_country_comes_off_with_that_of_shipping(
    country, vat_country, treatment
):
    pricing = relieved(country, vat_country)
    assert (pricing.tax_treatment, pricing.tax_total, list(pricing.taxes)) == (treatment, 0, [])
    # 12495 × 19 / 119 is 1995, 95 of it shipping's; 1070 × 7 / 107 is 70.
    assert [tuple(row) for row in pricing.lines] == [
        (1, 1900, 0, 10000), (2, 70, 0, 1000), (3, 0, 0, 500),
    ]  # fmt: skip
    assert [(row.kind, row.amount) for row in pricing.discounts] == [("tax_relief", 2065)]
    assert (pricing.shipping_total, pricing.shipping_discount) == (595, 95)
    assert pricing.total == 12000


def test_prices_without_tax_need_no_relief():
    pricing = relieved("US", included=False)
    assert (pricing.tax_treatment, pricing.discount_total) == ("export", 0)
    assert pricing.total == 14065


@pytest.mark.parametrize(
    ("home", "vat_country", "country"),
    [("DE", "DE", "DE"), ("DE", "FR", "DE"), ("DE", "US", "US"), ("US", "FR", "FR")],
)
def test_no_reverse_charge(home, vat_country, country):
    rates = [TaxRate("VAT", code, "", "standard", 20_000) for code in ("DE", "FR", "US")]
    pricing = price(
        PricingRequest(
            [line(1, 1200)], rates=rates, destination=Destination(country), home_country=home,
            vat_country=vat_country,
        )
    )  # fmt: skip
    assert (pricing.tax_treatment, pricing.tax_total) == ("standard", 200)


@pytest.mark.parametrize(
    ("steps", "rate"),
    [([1, 2, 3, 4], 1_000), ([2, 3, 4], 2_000), ([3, 4], 3_000), ([4], 4_000), ([], None)],
)
def test_a_class_falls_back_in_four_steps(steps, rate):
    places = {1: ("QC", "books"), 2: ("QC", "standard"), 3: ("", "books"), 4: ("", "standard")}
    rates = [TaxRate("GST", "CA", *places[step], step * 1_000) for step in steps]
    request = PricingRequest(
        [line(1, 10000, tax_class="books")], rates=rates, destination=Destination("CA", "QC")
    )
    assert [tax.rate for tax in price(request).taxes] == ([] if rate is None else [rate])


def applied(promotions, lines=None, **fields):
    request = PricingRequest(
        lines or [line(1, 10000)], promotions, methods=[PARCEL], method_id=1, **fields
    )
    return [(row.promotion_id, row.code, row.amount) for row in price(request).discounts]


def test_higher_priority_comes_first_then_codes_then_the_lower_id():
    tenth = {"kind": "percentage", "value": 10_000}
    plain, older = offer(2, **tenth), offer(1, **tenth)
    coded, first = offer(3, code="C", **tenth), offer(9, priority=1, **tenth)
    assert applied([plain, older, coded, first]) == [
        (9, None, 1000), (3, "C", 900), (1, None, 810), (2, None, 729),
    ]  # fmt: skip


def test_an_exclusive_promotion_applies_alone():
    alone, other = offer(1, "percentage", 10_000, exclusive=True), offer(2, "fixed_amount", 300)
    assert applied([alone, other]) == [(1, None, 1000)]
    assert applied([alone, replace(other, priority=1)]) == [(2, None, 300)]
    free = offer(3, "free_shipping", exclusive=True, priority=2)
    assert applied([alone, other, free]) == [(3, None, 595)]
    nothing = replace(alone, product_ids=ids(9))
    assert applied([nothing, other]) == [(2, None, 300)]


def test_two_codes_of_one_promotion_apply_once():
    tenth = offer(1, "percentage", 10_000)
    assert applied([replace(tenth, code="B"), replace(tenth, code="A")]) == [(1, "A", 1000)]


def test_shipping_is_taken_off_once_and_only_where_something_is_shipped():
    twice = [offer(1, "free_shipping"), offer(2, "free_shipping")]
    assert applied(twice) == [(1, None, 595)]
    assert applied([offer(1, "fixed_amount", 99999)]) == [(1, None, 10000)]
    assert applied(twice, [line(1, 10000, requires_shipping=False)]) == []


def taken(lines, **fields):
    bogo = offer(1, "buy_x_get_y", **{"value": 100_000, **fields})
    return [row.discount_total for row in price(PricingRequest(lines, [bogo])).lines]


def test_the_cheapest_of_the_same_articles_are_gained():
    sets = {"buy_quantity": 2, "get_quantity": 1}
    assert taken([line(1, 1000, 2)], **sets) == [0]
    assert taken([line(1, 1000, 3)], **sets) == [1000]
    assert taken([line(1, 1000, 4), line(2, 500, 3)], **sets) == [0, 1000]
    assert taken([line(1, 1000, 4), line(2, 500, 3)], max_sets=1, **sets) == [0, 500]
    assert taken([line(2, 500), line(1, 500), line(3, 500)], **sets) == [500, 0, 0]
    # Half of 3 × 333 is 499.5, rounded once.
    assert taken([line(1, 333, 9)], value=50_000, **sets) == [500]


def test_other_articles_are_gained():
    sets = {
        "product_ids": ids(1), "get_product_ids": ids(1, 2, 3), "buy_quantity": 2, "get_quantity": 1,
    }  # fmt: skip
    assert taken([line(1, 100, 2), line(2, 500, 1), line(3, 400, 1)], **sets) == [0, 0, 400]
    assert taken([line(1, 100, 5), line(2, 500, 1), line(3, 400, 1)], **sets) == [0, 500, 400]
    assert taken([line(1, 100, 9), line(2, 500, 1)], **sets) == [0, 500]
    assert taken([line(1, 100, 1), line(2, 500, 1)], **sets) == [0, 0]
    assert taken([line(1, 100, 4)], **sets) == [0]


def test_gained_units_are_worth_what_earlier_promotions_left():
    less = offer(2, "fixed_amount", 100, priority=1)
    bogo = offer(1, "buy_x_get_y", 100_000, buy_quantity=2, get_quantity=1)
    rows = price(PricingRequest([line(1, 1000, 3)], [bogo, less])).discounts
    assert [(row.promotion_id, row.amount) for row in rows] == [(2, 100), (1, 966)]


@pytest.mark.parametrize(
    ("least", "applies"),
    [
        ({"min_subtotal": 1000}, True),
        ({"min_subtotal": 1001}, False),
        ({"min_quantity": 2}, True),
        ({"min_quantity": 3}, False),
    ],
)
def test_minima_are_of_the_named_articles_at_list_price(least, applies):
    half = offer(1, "percentage", 50_000, priority=1)
    named = offer(2, "fixed_amount", 1, product_ids=ids(1), **least)
    rows = price(PricingRequest([line(1, 500, 2), line(2, 9900)], [half, named])).discounts
    assert [row.promotion_id for row in rows] == ([1, 2] if applies else [1])


@pytest.mark.parametrize(
    ("goods", "expected"),
    [(999, None), (1000, 500), (1999, 500), (2000, 300), (3000, 300), (3001, None)],
)
def test_the_borders_of_a_table(goods, expected):
    table = [ShippingRate(2000, 300, 3000), ShippingRate(1000, 500)]
    method = ShippingMethod(1, "Parcel", table, "subtotal")
    offers = price(PricingRequest([line(1, goods)], methods=[method])).offers
    assert [row.price for row in offers] == ([] if expected is None else [expected])


def test_only_what_is_shipped_has_weight():
    table = [ShippingRate(0, 100), ShippingRate(501, 900)]
    lines = [line(1, 100, 2, weight=250), line(2, 100, weight=5000, requires_shipping=False)]
    method = ShippingMethod(1, "Parcel", table, "weight")
    assert price(PricingRequest(lines, methods=[method])).offers[0].price == 100


@pytest.mark.parametrize(("off", "shipping"), [(0, 0), (1900, 0), (1901, 595)])
def test_free_from_is_after_promotions_and_before_relief(off, shipping):
    request = PricingRequest(
        [line(1, 11900)], [offer(1, "fixed_amount", off)],
        methods=[replace(PARCEL, free_from=10000)], method_id=1, rates=HOME,
        destination=Destination("US"), home_country="DE",
    )  # fmt: skip
    pricing = price(request)
    assert (pricing.tax_treatment, pricing.shipping_total) == ("export", shipping)


@pytest.mark.parametrize("is_included", [True, False])
@given(
    prices=st.lists(st.tuples(st.integers(0, 10**6), st.integers(2, 9)), min_size=1, max_size=5),
    cut=st.integers(1, 8),
)
def test_a_line_in_two_costs_the_same(is_included, prices, cut):
    lines = [line(n, *row) for n, row in enumerate(prices, 1)]
    head, rest = lines[0], lines[1:]
    units = min(cut, head.quantity - 1)
    parts = [head._replace(quantity=units), head._replace(id=99, quantity=head.quantity - units)]
    tenth = [offer(1, "percentage", 10_000), offer(2, "fixed_amount", 777)]
    request = PricingRequest(
        lines, tenth, rates=HOME, home_country="DE", prices_include_tax=is_included
    )
    whole, split = price(request), price(replace(request, lines=[*rest, *parts]))
    assert (whole.total, whole.tax_total, whole.discounts) == (
        split.total, split.tax_total, split.discounts,
    )  # fmt: skip


@given(net=st.integers(0, 10**7), rate=st.integers(0, 100_000))
def test_prices_with_and_without_tax_agree_within_a_unit(net, rate):
    rates = [TaxRate("VAT", "DE", "", "standard", rate)]
    request = PricingRequest([line(1, net)], rates=rates, home_country="DE")
    added = price(replace(request, prices_include_tax=False))
    included = price(replace(request, lines=[line(1, added.total)]))
    assert included.total == added.total
    assert abs(included.tax_total - added.tax_total) <= 1


def test_a_discount_says_which_promotion_by_which_code():
    coded = Promotion(7, "Welcome", "percentage", 10_000, code="HELLO")
    automatic = Promotion(8, "Autumn", "fixed_amount", 100)
    pricing = price(
        PricingRequest(
            [line(1, 11900)], [coded, automatic], rates=HOME, destination=Destination("US"),
            home_country="DE",
        )
    )  # fmt: skip
    assert [tuple(row) for row in pricing.discounts] == [
        (7, "Welcome", "HELLO", "percentage", 1190),
        (8, "Autumn", None, "fixed_amount", 100),
        (None, "Tax relief", None, "tax_relief", 1694),
    ]
    assert (pricing.applied, pricing.applied_codes) == ({7, 8}, {"HELLO"})


def test_a_promotion_is_judged_alone():
    lines = [line(1, 1000)]
    assert applies_alone(lines, offer(1, "fixed_amount", 1))
    assert applies_alone(lines, offer(1, "fixed_amount", 1, product_ids=ids(2))) is False


def test_a_flat_table_begins_at_nothing():
    later = ShippingMethod(1, "Parcel", [ShippingRate(1, 500)])
    assert list(price(PricingRequest([line(1, 1000)], methods=[later])).offers) == []


def test_percentages_have_a_highest_value():
    assert read_percent("1000") == read_percent("1000.000") == MAX_PERCENT == 1_000_000
    assert read_percent("100", 100_000) == 100_000
    for text in ("1000.001", "1000.0001", "100.001"):
        with pytest.raises(NotPercent):
            read_percent(text, MAX_PERCENT if text.startswith("1000") else 100_000)
    assert (percent_text(100_000), percent_text(9_500), percent_text(0)) == ("100", "9.5", "0")

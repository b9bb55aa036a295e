"""Totals: sums of whole minor units, worked out in one place."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import MAX_PRICE, MAX_TOTAL
from app.domain.pricing.totals import Totals, line_total, totals
from app.models import MAX_QUANTITY
from app.services.buying.cart_service import MAX_LINES

LINES = st.lists(st.tuples(st.integers(0, MAX_PRICE), st.integers(1, MAX_QUANTITY)), max_size=50)


def test_nothing_costs_nothing():
    assert totals([]) == Totals(0)
    assert totals([]).total == 0


def test_lines_add_up():
    assert totals([(1250, 2), (99, 3)]).subtotal == 2797


@pytest.mark.parametrize(
    ("price", "quantity", "total"), [(1250, 1, 1250), (99, 3, 297), (0, 100_000, 0), (1, 7, 7)]
)
def test_a_line_costs_the_price_of_each_unit(price, quantity, total):
    assert line_total(price, quantity) == total


@given(LINES)
def test_the_total_is_the_sum_of_the_lines(lines):
    expected = sum(price * quantity for price, quantity in lines)

    assert totals(lines) == Totals(expected, 0, 0, 0)
    assert totals(lines).total == expected


def test_discounts_lower_and_shipping_and_tax_raise_the_total():
    sums = Totals(subtotal=1000, discount_total=100, shipping_total=50, tax_total=7)

    assert sums.total == 957


def test_the_largest_total_fits_the_database():
    assert MAX_PRICE < MAX_TOTAL < 2**63


def test_the_largest_cart_is_added_up_exactly():
    assert totals([(MAX_PRICE, MAX_QUANTITY)] * MAX_LINES).total == (10**14 - 1) * 10**5 * 5000

"""Totals: sums of whole minor units, worked out in one place."""

from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import MAX_PRICE
from app.domain.pricing import Totals, line_total, totals

LINES = st.lists(st.tuples(st.integers(0, MAX_PRICE), st.integers(1, 100_000)), max_size=50)


def test_nothing_costs_nothing():
    assert totals([]) == Totals(0)
    assert totals([]).total == 0


def test_lines_add_up():
    assert totals([(1250, 2), (99, 3)]).subtotal == 2797


@given(LINES)
def test_the_total_is_the_sum_of_the_lines(lines):
    assert totals(lines).total == sum(line_total(price, quantity) for price, quantity in lines)


def test_discounts_lower_and_shipping_and_tax_raise_the_total():
    sums = Totals(subtotal=1000, discount_total=100, shipping_total=50, tax_total=7)

    assert sums.total == 957


def test_the_largest_cart_fits_the_database():
    assert 5_000 * line_total(MAX_PRICE, 100_000) < 2**63

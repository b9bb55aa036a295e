"""Money: exact, in minor units, in the currency's own places."""

import itertools
import string
from decimal import Decimal

import pytest
from babel.core import get_global
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import (
    MAX_PRICE,
    MAX_TOTAL,
    NotMoney,
    is_currency,
    places,
    to_minor,
    to_text,
)


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("49.00", "USD", 4900),
        ("49", "USD", 4900),
        (49, "USD", 4900),
        (49.99, "USD", 4999),
        (Decimal("0.10"), "USD", 10),
        ("4900", "JPY", 4900),
        (4900.0, "JPY", 4900),
        ("1.234", "KWD", 1234),
        ("1e3", "USD", 100000),
        ("-5.00", "USD", -500),
        ("0", "USD", 0),
        (1.990, "USD", 199),
        (Decimal("1.990"), "USD", 199),
    ],
)
def test_amounts_become_minor_units(amount, currency, minor):
    assert to_minor(amount, currency) == minor
    assert type(to_minor(amount, currency)) is int


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (0, "USD", "0.00"), (1, "USD", "0.01"), (-1, "USD", "-0.01"), (99, "USD", "0.99"),
        (100, "USD", "1.00"), (-100, "USD", "-1.00"), (5, "KWD", "0.005"), (12345, "KWD", "12.345"),
        (0, "JPY", "0"), (1, "JPY", "1"), (-1, "JPY", "-1"), (4900, "JPY", "4900"),
    ],
)  # fmt: skip
def test_minor_units_are_written_with_the_currencys_places(minor, currency, text):
    assert to_text(minor, currency) == text


def test_twenty_digits_of_minor_units_are_the_most():
    nines = "9" * 20

    assert to_minor(nines, "JPY") == to_minor(Decimal(nines), "JPY") == int(nines)
    assert to_minor(nines[2:], "USD") == int(nines[2:] + "00")
    for amount, currency in ((10**20, "JPY"), (f"1{nines}", "JPY"), (10**18, "USD")):
        with pytest.raises(NotMoney, match="Out of range"):
            to_minor(amount, currency)


@pytest.mark.parametrize(
    "amount",
    ["1.999", "1.500", "0.000", "0.001", "", "abc", "NaN", "Infinity", "-inf", "1e30", "1e-30", "1_000", " 1", "١", True,
     None, [], {}, "1e999999999", Decimal("1E+999999"), float("nan")],
)  # fmt: skip
def test_what_is_no_amount_is_refused(amount):
    with pytest.raises(NotMoney):
        to_minor(amount, "USD")


@pytest.mark.parametrize("amount", ["1.5", "1500.0", "1.500"])
def test_a_currency_without_decimals_refuses_them(amount):
    with pytest.raises(NotMoney, match="no decimals"):
        to_minor(amount, "JPY")


@given(st.integers(-(2**62), 2**62), st.sampled_from(["USD", "JPY", "KWD", "CLF"]))
def test_text_and_minor_units_are_the_same_amount(minor, currency):
    text = to_text(minor, currency)
    if abs(minor) < 10**18:
        assert to_minor(text, currency) == minor
    assert "e" not in text.lower()


@pytest.mark.parametrize(
    ("currencies", "right"),
    [
        ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0),
        ("AUD CHF EUR GBP IDR USD", 2),
        ("BHD IQD JOD KWD LYD OMR TND", 3),
        ("CLF UYW", 4),
    ],
)
def test_a_currency_has_the_places_of_iso_4217(currencies, right):
    assert {currency: places(currency) for currency in currencies.split()} == dict.fromkeys(
        currencies.split(), right
    )


def test_currencies_are_those_in_use_and_those_of_iso_4217_besides():
    in_use = {
        code
        for entries in get_global("territory_currencies").values()
        for code, _begin, end, is_tender in entries
        if is_tender and end is None
    }
    accounting_units = {"CLF", "UYI", "UYW"}
    besides_another = {"SVC", "VED"}

    codes = map("".join, itertools.product(string.ascii_uppercase, repeat=3))

    assert {code for code in codes if is_currency(code)} == (
        in_use - {"BGN"} | accounting_units | besides_another
    )


def test_the_largest_amounts_are_those_that_are_promised():
    assert to_text(MAX_PRICE, "IDR") == "999999999999.99"
    assert to_text(MAX_TOTAL, "USD") == "9999999999999999.99"
    assert MAX_TOTAL < 2**63


def test_a_number_is_written_in_40_characters_at_most():
    assert to_minor("7".rjust(40, "0"), "JPY") == 7
    with pytest.raises(NotMoney):
        to_minor("7".rjust(41, "0"), "JPY")

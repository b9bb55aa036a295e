"""Money: exact, in minor units, in the currency's own places."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.money import NotMoney, places, to_minor, to_text


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

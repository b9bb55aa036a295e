"""Money under every amount and currency: nothing is rounded, nothing is lost on the way round."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.domain.money import MAX_PRICE, NotMoney, places, to_minor, to_text

CURRENCIES = st.sampled_from(["USD", "JPY", "KWD", "CLF", "EUR"])
MINOR = st.integers(-(2**63), 2**63 - 1)
PRICES = st.integers(0, MAX_PRICE)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**15), max_value=10**15)


@given(MINOR, CURRENCIES)
def test_what_is_written_is_read_as_the_same_amount(minor, currency):
    assert to_minor(to_text(minor, currency), currency) == minor


@given(MINOR, CURRENCIES)
def test_an_amount_is_written_with_just_the_places_of_its_currency(minor, currency):
    _whole, point, fraction = to_text(minor, currency).partition(".")

    assert len(fraction) == places(currency)
    assert bool(point) is bool(fraction)


@given(DECIMALS, CURRENCIES)
def test_an_amount_is_taken_exactly_or_not_at_all(amount, currency):
    exact = Fraction(amount) * 10 ** places(currency)
    assume(len(str(amount)) <= 40)

    if exact.denominator == 1:
        assert to_minor(amount, currency) == exact
    else:
        with pytest.raises(NotMoney):
            to_minor(amount, currency)


@given(DECIMALS, CURRENCIES)
def test_text_and_number_say_the_same(amount, currency):
    amount = amount.normalize()  # zeros behind it are refused in a text alone

    assert outcome(str(amount), currency) == outcome(amount, currency)


@given(PRICES, st.integers(0, 6), CURRENCIES)
def test_zeros_beyond_the_places_are_refused_in_a_text_and_nothing_in_a_number(
    minor, zeros, currency
):
    text = to_text(minor, currency)
    longer = (text if "." in text else f"{text}.") + "0" * (zeros + 1)

    assert to_minor(Decimal(longer), currency) == minor
    with pytest.raises(NotMoney):
        to_minor(longer, currency)


@given(PRICES, st.integers(1, 9), CURRENCIES)
def test_one_place_too_many_is_refused_however_small(minor, digit, currency):
    text = to_text(minor, currency)
    finer = (text if "." in text else f"{text}.") + str(digit)

    with pytest.raises(NotMoney):
        to_minor(finer, currency)


@given(st.lists(st.tuples(PRICES, st.integers(1, 100_000)), max_size=20), CURRENCIES)
def test_sums_of_what_clients_see_are_the_sums_that_are_stored(lines, currency):
    stored = sum(price * quantity for price, quantity in lines)
    seen = sum(
        (Decimal(to_text(price, currency)) * quantity for price, quantity in lines), Decimal(0)
    )

    assert seen == Decimal(to_text(stored, currency))


def outcome(amount, currency) -> int | None:
    """The minor units, or None for a refusal."""
    try:
        return to_minor(amount, currency)
    except NotMoney:
        return None


@given(st.integers(1, 10**9), st.integers(0, 40), CURRENCIES)
def test_digits_that_are_too_many_for_a_decimal_are_not_rounded_away(minor, zeros, currency):
    text = to_text(minor, currency)
    text += ("" if "." in text else ".") + "0" * zeros
    assume(len(text) < 40)

    assert to_minor(Decimal(text + "0"), currency) == minor
    for amount in (text + "1", Decimal(text + "1")):
        with pytest.raises(NotMoney):
            to_minor(amount, currency)

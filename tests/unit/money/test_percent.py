"""Percentages, and amounts that are spread."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.pricing.percent import (
    MAX_PERCENT,
    WHOLE,
    NotPercent,
    percent_of,
    percent_text,
    read_percent,
)
from app.domain.pricing.shares import spread, units_share

AMOUNTS = st.integers(0, 10**18)


@given(st.integers(0, MAX_PERCENT))
def test_a_percentage_is_read_as_it_is_written(thousandths):
    assert read_percent(percent_text(thousandths)) == thousandths


@pytest.mark.parametrize(
    ("text", "thousandths"), [("19", 19000), ("9.975", 9975), ("0", 0), ("7.50", 7500)]
)
def test_a_percentage_is_thousandths(text, thousandths):
    assert read_percent(text) == thousandths


@pytest.mark.parametrize(
    "text", ["", "-1", "1.2345", "1,5", "1e1", " 1", "100.001", ".5", "٣", "007"]
)
def test_a_text_that_is_no_percentage_is_refused(text):
    with pytest.raises(NotPercent):
        read_percent(text, WHOLE)


@given(AMOUNTS, st.integers(0, WHOLE))
def test_a_share_is_rounded_half_up(amount, thousandths):
    exact = Fraction(amount * thousandths, WHOLE)
    assert percent_of(amount, thousandths) == int(exact + Fraction(1, 2))


@given(AMOUNTS, st.lists(st.integers(0, 10**15), max_size=20))
def test_parts_add_up_and_follow_their_weights(amount, weights):
    parts = spread(amount, weights)
    whole = sum(weights)
    assert sum(parts) == (amount if whole else 0)
    for part, weight in zip(parts, weights, strict=True):
        assert weight or not part
        assert not whole or abs(part - Fraction(amount * weight, whole)) < 1
        assert amount > whole or part <= weight


def test_ties_go_to_the_earlier_place():
    assert spread(15, [100] * 10) == [2] * 5 + [1] * 5
    assert spread(1, [100, 100]) == [1, 0]


@given(AMOUNTS, st.integers(1, 1000), st.data())
def test_shares_of_units_add_up_whatever_the_steps(amount, quantity, data):
    cuts = sorted(data.draw(st.sets(st.integers(0, quantity))) | {0, quantity})
    steps = itertools.pairwise(cuts)
    assert sum(units_share(amount, quantity, low, high - low) for low, high in steps) == amount

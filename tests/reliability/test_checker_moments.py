"""Moments: what may have been when, and what cannot have been."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reliability.checker.moments import (
    Register,
    Timeline,
    Window,
    Written,
    last_moment,
    window_of,
)
from tests.reliability.history import Attempt

LINGER = 30.0
TRIED = Attempt("cancel", "pat", "POST", "/", None, None, start=1.0, end=2.0, status=200)
LOST = replace(TRIED, status=None)
AWAY = replace(TRIED, status=503)


@pytest.mark.parametrize(("attempt", "moment"), [(TRIED, 2.0), (AWAY, 2.0), (LOST, 32.0)])
def test_only_a_lost_answer_leaves_open_that_it_is_done_later(attempt, moment):
    assert last_moment(attempt, LINGER) == moment


def test_what_was_acknowledged_was_done_while_it_ran():
    earlier = replace(LOST, start=0.0, end=0.5)

    assert window_of([earlier, TRIED], LINGER) == Window(1.0, 2.0)


def test_a_replay_says_only_that_it_was_done_before():
    lost = replace(LOST, start=0.0, end=0.5)
    replay = replace(TRIED, replayed=True)

    assert window_of([lost, replay], LINGER) == Window(0.0, 2.0)


def test_what_nobody_knows_may_have_been_done_until_it_no_longer_lingers():
    assert window_of([AWAY, LOST, replace(TRIED, status=409)], LINGER) == Window(1.0, 32.0)


def test_what_was_only_refused_may_have_been_done_whenever():
    assert window_of([replace(TRIED, status=409)], LINGER) == Window(-math.inf, math.inf)


def test_a_later_step_hurries_those_before_it():
    line = Timeline([Window(0.0, 50.0), Window(1.0, 2.0)])

    assert line.possible(3.0, 4.0) == (2, 2)
    assert line.possible(0.0, 0.5) == (0, 1)
    assert line.contradictions() == []


def test_steps_in_the_wrong_order_contradict_each_other():
    assert Timeline([Window(5.0, 6.0), Window(1.0, 2.0)]).contradictions() == [0, 1]


def test_a_value_may_hold_until_another_has_surely_followed():
    price = Register(100, [Written(200, Window(5.0, 6.0), is_certain=True)])

    assert price.may_hold(100, 0.0, 1.0)
    assert price.may_hold(100, 5.5, 5.6)
    assert not price.may_hold(100, 7.0, 8.0)
    assert not price.may_hold(200, 3.0, 4.0)
    assert price.may_hold(200, 7.0, 8.0)


def test_a_write_that_nobody_knows_of_may_have_been_or_not():
    price = Register(100, [Written(200, Window(5.0, 35.0), is_certain=False)])

    assert price.may_hold(100, 50.0, 51.0)
    assert price.may_hold(200, 50.0, 51.0)


def test_of_two_writes_at_the_same_time_either_may_be_the_last():
    writes = [Written(price, Window(1.0, 2.0), is_certain=True) for price in (200, 300)]
    price = Register(100, writes)

    assert price.may_hold(200, 9.0, 9.0)
    assert price.may_hold(300, 9.0, 9.0)
    assert not price.may_hold(100, 9.0, 9.0)


def test_a_value_that_comes_back_holds_again():
    writes = [
        Written(200, Window(1.0, 2.0), is_certain=True),
        Written(100, Window(3.0, 4.0), is_certain=True),
    ]

    assert Register(100, writes).may_hold(100, 9.0, 9.0)
    assert not Register(100, writes).may_hold(100, 2.5, 2.6)


moments = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 9), st.integers(0, 9), st.integers(1, 3)),
    max_size=8,
)


@given(moments, st.integers(0, 70), st.integers(0, 9), st.integers(0, 9), st.data())
def test_what_is_read_in_truth_is_always_let_pass(writes, at, before, after, data):
    """Each write has a true moment within its window, and is known of or not."""
    known = [data.draw(st.booleans()) for _ in writes]
    price = Register(
        0,
        [
            Written(value, Window(moment - early, moment + late), certain)
            for (moment, early, late, value), certain in zip(writes, known, strict=True)
        ],
    )
    done = sorted((moment, value) for moment, _, _, value in writes if moment < at)
    in_force = done[-1][1] if done else 0
    steps = Timeline(
        Window(moment - early, moment + late) for moment, early, late, _ in sorted(writes)
    )

    least, most = steps.possible(at - before, at + after)

    assert price.may_hold(in_force, at - before, at + after)
    assert least <= len(done) <= most

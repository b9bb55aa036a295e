"""Spans of time: RFC 3339 dates and date-times, both ends within the span."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.clock import rfc3339
from app.domain.periods import NotATime, first_moment, moment_after

NOON = datetime(2026, 11, 22, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T12:00:00Z", NOON),
        ("2026-11-22t12:00:00z", NOON),
        ("2026-11-22T12:00:00.0000009Z", NOON),
        ("2026-11-22T12:00:00.25Z", NOON + timedelta(milliseconds=250)),
        ("2026-11-22T14:30:00+02:30", NOON),
        ("2026-11-22T07:00:00-05:00", NOON),
        ("2026-11-22", NOON - timedelta(hours=12)),
    ],
)
def test_dates_and_date_times_are_moments_in_utc(text, moment):
    assert first_moment(text) == moment


@pytest.mark.parametrize(
    "text",
    ["", "today", "2026", "2026-02-30", "2026-11-22T25:00:00Z", "2026-11-22T12:00:00",
     "2026-11-22 12:00", "1", "٢٠٢٦-11-22", "0001-01-01T00:00:00+01:00", "2026-11-22T12:00:00+99:00"],
)  # fmt: skip
def test_other_texts_are_no_time(text):
    with pytest.raises(NotATime):
        first_moment(text)
    with pytest.raises(NotATime):
        moment_after(text)


def test_a_day_ends_where_the_next_begins():
    assert moment_after("2026-02-28") == first_moment("2026-03-01")


def test_the_last_day_of_all_ends_as_late_as_can_be():
    assert moment_after("9999-12-31") == datetime.max.replace(tzinfo=timezone.utc)


@given(st.integers(0, 10**14))
def test_a_time_as_the_shop_shows_it_spans_itself(microseconds):
    moment = NOON + timedelta(microseconds=microseconds)
    shown = rfc3339(moment)

    assert first_moment(shown) <= moment < moment_after(shown)

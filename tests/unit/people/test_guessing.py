"""How long wrong passwords lock: figures that the documentation names, and the longest of several."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from app.domain.people import guessing
from app.domain.people.guessing import (
    AttemptCounters,
    FailureCounter,
    UnknownNetwork,
    is_new_today,
    waits_until,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
MINUTE = timedelta(minutes=1)


@dataclass
class Stored:
    failures: int = 1
    networks: int = 0
    last_failed_at: datetime = NOW
    locked_until: datetime | None = None


def counters(*keys: str) -> AttemptCounters:
    return AttemptCounters(tuple(FailureCounter(key) for key in keys))


def locked(**minutes: int) -> dict[str, Stored]:
    return {key: Stored(locked_until=NOW + number * MINUTE) for key, number in minutes.items()}


@pytest.mark.parametrize(
    ("minutes", "wait"),
    [
        ({"a": 1}, 1),
        ({"a": 1, "b": 9}, 9),
        ({"a": 9, "b": 1}, 9),
        ({"a": -1, "b": 2, "c": 5}, 5),
        ({"a": -1}, None),
        ({"a": 0}, None),
        ({"a": 15}, 15),
        ({"a": 16}, None),  # longer than any lock: it was set while the clock was ahead
        ({"elsewhere": 9}, None),
        ({}, None),
    ],
)
def test_of_several_locks_the_longest_counts(minutes, wait):
    end = waits_until(counters("a", "b", "c"), locked(**minutes), NOW)

    assert end == (None if wait is None else NOW + wait * MINUTE)


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, None), (4, None), (5, 30), (6, 60), (7, 120), (9, 480), (10, 960)],
)
def test_each_failure_from_the_fifth_on_locks_twice_as_long(failures, seconds):
    lock = FailureCounter("a").lock_after(failures)

    assert lock == (None if seconds is None else timedelta(seconds=seconds))


def test_a_counter_that_does_not_lock_never_does():
    assert FailureCounter("a", locks=False).lock_after(1_000_000) is None


def test_any_number_of_failures_has_a_lock():
    assert FailureCounter("a").lock_after(10**9) == timedelta(seconds=30) * 2**16
    assert FailureCounter("a").lock_after(5 + 15) == timedelta(seconds=30) * 2**15


def test_the_keys_of_an_attempt_are_those_of_its_counters():
    assert counters("a", "b").keys == ["a", "b"]
    assert FailureCounter("a").in_a_row


def test_the_figures_are_those_that_are_promised():
    """SECURITY.md and the operators' pages name them."""
    assert guessing.FREE_FAILURES == (5, 10, 20)
    assert guessing.FREE_FROM_A_NETWORK == (1000, 2000, 4000)
    assert (guessing.FREE_FROM_ANYWHERE, guessing.FREE_OF_A_DEVICE) == (50, 10)
    assert timedelta(days=1) == guessing.COUNT_LIFETIME
    assert (guessing.FIRST_LOCK, guessing.LONGEST_LOCK) == (MINUTE / 2, 15 * MINUTE)


UNKNOWN = UnknownNetwork("network", "anywhere", place=0)


def under_attack(failures: int, hours_ago: float, anywhere: int = 50) -> dict[str, Stored]:
    last = NOW - timedelta(hours=hours_ago)
    return {"anywhere": Stored(anywhere), "network": Stored(failures, last_failed_at=last)}


@pytest.mark.parametrize(
    ("failures", "hours_ago", "hours"),
    [(0, 0, None), (1, 0, 1), (1, 0.5, 0.5), (1, 1, None), (2, 0, 2), (3, 0, 4), (4, 0, 8), (9, 0, 8), (9, 8, None)],
)  # fmt: skip
def test_under_attack_an_unknown_network_waits_longer_after_each_failure(
    failures, hours_ago, hours
):
    end = waits_until(AttemptCounters((), UNKNOWN), under_attack(failures, hours_ago), NOW)

    assert end == (None if hours is None else NOW + timedelta(hours=hours))


def test_short_of_an_attack_an_unknown_network_does_not_wait():
    counts = under_attack(failures=9, hours_ago=0, anywhere=49)

    assert waits_until(AttemptCounters((), UNKNOWN), counts, NOW) is None


def test_the_wait_of_an_unknown_network_and_a_lock_do_not_shorten_each_other():
    attempt = AttemptCounters((FailureCounter("a"),), UNKNOWN)

    for failures, hours_ago, minutes in ((1, 0, 60), (1, 0.95, 10)):
        counts = {**under_attack(failures, hours_ago), **locked(a=10)}
        assert waits_until(attempt, counts, NOW) == NOW + minutes * MINUTE


@pytest.mark.parametrize(("networks", "turns"), [(50, 1), (51, 2), (100, 2), (101, 4)])
def test_unknown_networks_take_turns_where_too_many_fail(networks, turns):
    now = NOW + timedelta(hours=1)  # not a multiple of the turns
    hour = int(now.timestamp()) // 3600
    counts = {"anywhere": Stored(50, networks)}

    waits = []
    for place in range(hour, hour + 2 * turns):
        attempt = AttemptCounters((), UnknownNetwork("network", "anywhere", place))
        end = waits_until(attempt, counts, now)
        waits.append(0 if end is None else (end - now) // timedelta(hours=1))

    assert waits == [*range(turns), *range(turns)]


@pytest.mark.parametrize(
    ("count", "is_new"),
    [
        (None, True),
        (Stored(0), True),
        (Stored(1), False),
        (Stored(1, last_failed_at=NOW - timedelta(hours=12, seconds=1)), True),
        (Stored(1, last_failed_at=NOW - timedelta(hours=12)), False),
    ],
)
def test_an_unknown_network_is_new_on_each_day(count, is_new):
    counts = {} if count is None else {"network": count}

    assert is_new_today(UNKNOWN, counts, NOW) is is_new

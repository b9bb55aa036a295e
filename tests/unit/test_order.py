"""The order of the tests for several workers."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.order import long_tests_first

FILES = {"e2e/a": 4, "e2e/b": 2, "deploy": 3, "backups": 5}
"""Files of long tests, and how many each has."""


def item(path: str, number: int, is_long: bool, database: str | None = None):
    """A collected test, as far as its place depends on it."""
    markers = {"slow"} if is_long else set()
    test = SimpleNamespace(
        path=Path(f"/tests/{path}.py"),
        name=f"{path}-{number}",
        get_closest_marker=lambda marker: marker in markers or None,
    )
    if database:
        test.callspec = SimpleNamespace(params={"database": database})
    return test


@pytest.fixture
def items():
    """A hundred short tests, with long ones behind them."""
    short = [item("short", number, is_long=False) for number in range(100)]
    long = [item(path, number, True) for path, count in FILES.items() for number in range(count)]
    return [*short, *long]


@pytest.mark.parametrize("workers", [2, 3, 4, 7])
def test_every_test_runs_once(items, workers):
    ordered = long_tests_first(items, workers)

    assert sorted(test.name for test in ordered) == sorted(test.name for test in items)


def test_each_share_begins_with_long_tests_and_ends_with_short_ones(items):
    ordered = long_tests_first(items, 3)

    assert [ordered[begin].path.stem for begin in (0, 38, 76)] == ["a", "deploy", "backups"]
    assert [ordered[end].path.stem for end in (37, 75, 113)] == ["short"] * 3


def test_tests_that_share_a_server_or_a_browser_follow_one_another(items):
    names = [test.name for test in long_tests_first(items, 2)]
    browsing = [place for place, name in enumerate(names) if name.startswith("e2e")]

    assert browsing == list(range(browsing[0], browsing[0] + 6))


def test_the_databases_of_a_file_are_apart():
    mixed = [
        item("races", number, True, database)
        for number, database in enumerate(["sqlite", "postgresql"] * 3)
    ]

    ordered = long_tests_first(mixed, 2)

    assert [test.callspec.params["database"] for test in ordered] == ["sqlite"] * 3 + [
        "postgresql"
    ] * 3


def test_more_long_tests_than_a_share_holds_leave_none_out():
    long = [item("only", number, is_long=True) for number in range(9)]
    short = [item("short", number, is_long=False) for number in range(2)]

    ordered = long_tests_first([*short, *long], 3)

    assert len({test.name for test in ordered}) == 11

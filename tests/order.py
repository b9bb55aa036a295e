"""The order in which several workers of pytest-xdist run the tests.

Each worker begins with an equal share of all tests, in their order, and one that has finished takes
over half of what another has left, from its end (`--dist worksteal`). In the order of the files most
tests that start servers would be the last ones of one worker, while the others have no more work.
So each share begins with such tests, and ends with short ones.
"""

from collections.abc import Hashable, Sequence
from itertools import chain

import pytest

LONG = ("slow", "processes")
"""Markers of tests of which one can take as long as hundreds of others."""


def long_tests_first(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The same tests, in an order that gives each worker's share as many long ones."""
    files: dict[Hashable, list[pytest.Item]] = {}
    short = []
    for item in items:
        if any(item.get_closest_marker(marker) for marker in LONG):
            files.setdefault(_neighbours(item), []).append(item)
        else:
            short.append(item)
    groups = list(files.values())
    shares = [list(chain.from_iterable(groups[worker::workers])) for worker in range(workers)]
    return _filled_up(shares, short)


def _neighbours(item: pytest.Item) -> Hashable:
    """What tests have in common that share a server or a browser, and so stay together."""
    callspec = getattr(item, "callspec", None)
    database = callspec.params.get("database") if callspec else None
    place = item.path.parent if item.path.parent.name == "e2e" else item.path
    return place, database


def _filled_up(shares: list[list[pytest.Item]], short: list[pytest.Item]) -> list[pytest.Item]:
    """All shares, each filled up with short tests to the size that pytest-xdist gives it."""
    total, order, taken = sum(map(len, shares)) + len(short), list[pytest.Item](), 0
    for number, share in enumerate(shares):
        size = (total - len(order)) // (len(shares) - number)
        fill = max(size - len(share), 0)
        order += [*share, *short[taken : taken + fill]]
        taken += fill
    return [*order, *short[taken:]]

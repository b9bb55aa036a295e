"""What goes wrong during a run, and when: drawn from the run's seed, carried out by threads."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import psycopg2

from tests.reliability.history import History
from tests.reliability.setting import PostgreSQLSetting, Setting

EVERY = {
    "kill_worker": 4.0,
    "reload": 30.0,
    "restart_shop": 120.0,
    "freeze_redis": 25.0,
    "kill_redis": 40.0,
    "crash_postgresql": 60.0,
    "restart_postgresql": 75.0,
    "hold_connections": 50.0,
    "hold_locks": 70.0,
}
"""Seconds between two of a kind, on average, in a long run."""
AT_LEAST = {"kill_worker": 6, "restart_shop": 0, "hold_locks": 0}
"""How often each happens in however short a run; others once."""
HANDS = (
    ("kill_worker",),
    ("reload", "restart_shop"),
    ("freeze_redis", "kill_redis"),
    ("crash_postgresql", "restart_postgresql", "hold_connections", "hold_locks"),
)
"""What goes wrong one after the other; each of these lines at the same time as the others."""
BAD_START, GOOD_END = 0.05, 0.9
"""The part of a run in which faults begin, so that the last ones are over when it ends."""


@dataclass(frozen=True)
class Fault:
    """One thing that went wrong, in seconds of the setting's clock."""

    kind: str
    start: float
    end: float
    in_flight: int
    """Requests that were under way when it began."""


@dataclass(frozen=True)
class Planned:
    """One thing that is to go wrong so many seconds into the run, for so long if it lasts."""

    at: float
    kind: str
    lasts: float


class Faults:
    """All faults of one run, drawn when this is made.

    Attributes:
        log: what went wrong so far.
    """

    def __init__(
        self, setting: Setting, history: History, rng: random.Random, seconds: float
    ) -> None:
        self.log: list[Fault] = []
        self._setting, self._history, self._seconds = setting, history, seconds
        self._deeds = _deeds(setting, random.Random(rng.random()))
        offered = ([kind for kind in kinds if kind in self._deeds] for kinds in HANDS)
        self._plans = [draw(kinds, seconds, rng) for kinds in offered]

    def run(self) -> None:
        """Let everything go wrong that is planned; at the end all is well again."""
        began = self._setting.clock()
        with ThreadPoolExecutor(len(self._plans)) as hands:
            for done in [hands.submit(self._carry_out, plan, began) for plan in self._plans]:
                done.result()
        self._wait_until(began + self._seconds)
        self._setting.wait_until_ready()

    def _carry_out(self, plan: list[Planned], began: float) -> None:
        for planned in plan:
            self._wait_until(began + planned.at)
            start, in_flight = self._setting.clock(), self._history.in_flight
            with suppress(psycopg2.OperationalError):  # so full that the fault itself has no room
                self._deeds[planned.kind](planned.lasts)
            self.log.append(Fault(planned.kind, start, self._setting.clock(), in_flight))

    def _wait_until(self, moment: float) -> None:
        time.sleep(max(0.0, moment - self._setting.clock()))


def draw(kinds: list[str], seconds: float, rng: random.Random) -> list[Planned]:
    """A plan for these kinds: each spread evenly over the run, at moments of chance."""
    plan = [
        Planned(moment * seconds, kind, rng.uniform(0.5, 1.5))
        for kind in kinds
        for moment in _moments(max(AT_LEAST.get(kind, 1), round(seconds / EVERY[kind])), rng)
    ]
    return sorted(plan, key=lambda planned: planned.at)


def hits(log: list[Fault], history: History, kind: str = "kill_worker") -> int:
    """How many of these faults struck requests that were under way, and lost their answers."""
    lost = [attempt for attempt in history if attempt.outcome == "unknown"]
    return sum(
        any(attempt.start < fault.start < attempt.end for attempt in lost)
        for fault in log
        if fault.kind == kind
    )


def _moments(count: int, rng: random.Random) -> Iterator[float]:
    """So many moments of chance between 0 and 1, each in a part of its own."""
    part = (GOOD_END - BAD_START) / max(1, count)
    return (BAD_START + (index + rng.random()) * part for index in range(count))


def _deeds(setting: Setting, rng: random.Random) -> dict[str, Callable[[float], object]]:
    """What can go wrong in this setting, by name, to be called with how long it lasts."""
    deeds: dict[str, Callable[[float], object]] = {
        "kill_worker": lambda _seconds: setting.kill_worker(rng),
        "reload": lambda _seconds: setting.reload(),
        "restart_shop": lambda _seconds: setting.restart_shop(),
        "hold_locks": setting.hold_locks,
    }
    if isinstance(setting, PostgreSQLSetting):
        deeds |= _deeds_to_servers(setting)
    return deeds


def _deeds_to_servers(setting: PostgreSQLSetting) -> dict[str, Callable[[float], object]]:
    def freeze_redis(seconds: float) -> None:
        setting.freeze_redis()
        time.sleep(seconds)
        setting.thaw_redis()

    def kill_redis(seconds: float) -> None:
        setting.kill_redis()
        time.sleep(seconds)
        setting.start_redis()

    return {
        "freeze_redis": freeze_redis,
        "kill_redis": kill_redis,
        "crash_postgresql": lambda _seconds: setting.restart_postgresql("immediate"),
        "restart_postgresql": lambda _seconds: setting.restart_postgresql("fast"),
        "hold_connections": setting.hold_connections,
    }

"""Three processes of the shop on one database and one cache, behind the nginx that is shipped.

`python -m tests.reliability.scale_out` lets shoppers and staff trade while one process after the
other is killed or stopped and comes back, and prints what they saw.
"""

import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import requests

from tests import proxy, servers
from tests.reliability import world
from tests.reliability.checker import check
from tests.reliability.habits import ShoppersLife, StaffsDay
from tests.reliability.history import Attempt, History
from tests.reliability.ledgers import read_books
from tests.reliability.setting import PostgreSQLSetting, fire_setting, kill
from tests.reliability.shopper import Purchase, Shopper
from tests.reliability.violation import Violation

APPS, SHOPPERS, STAFF = 3, 12, 2
MEET = 1.5
"""Seconds in which every shopper meets what happens."""


class Span(NamedTuple):
    """A stretch of the setting's clock."""

    start: float
    end: float


class ScaledSetting(PostgreSQLSetting):
    """A shop of several processes, each with a port and workers of its own."""

    faults = ()

    def __init__(self, folder: Path, workers: int, environ: Mapping[str, str], like: Path | None = None) -> None:  # fmt: skip
        self._ports = [servers.free_port() for _ in range(APPS)]
        self._apps: dict[int, subprocess.Popen[bytes]] = {}
        self._front = ExitStack()
        super().__init__(folder, workers, {"TRUSTED_PROXIES": "1", **environ}, like)

    @property
    def addresses(self) -> list[str]:
        """Where each process is, past nginx."""
        return [f"http://{servers.LOCALHOST}:{port}" for port in self._ports]

    def start_shop(self) -> None:
        """Start all processes, and nginx in front of them."""
        with ThreadPoolExecutor(APPS) as threads:
            list(threads.map(self.start_app, range(APPS)))
        behind = [f"{servers.LOCALHOST}:{port}" for port in self._ports]
        ports = self._front.enter_context(
            proxy.nginx(self.folder / "front", behind, changes=proxy.LIMITS)
        )
        self.address = f"http://{servers.LOCALHOST}:{ports[8080]}"

    def start_app(self, index: int) -> None:
        """Start one process, and wait until it is ready."""
        log = self.folder / f"shop-{index}.log"
        self._apps[index] = servers.start_gunicorn(
            self.environ, self._worker_count, self._ports[index], log
        )

    def kill_app(self, index: int) -> Span:
        """kill -9 one process with all its workers; from when until nobody listens any more."""
        app = self._apps[index]
        pids = [app.pid, *servers.children(app.pid)]
        start = self.clock()
        for pid in pids:
            kill(pid)
        app.wait(10)
        while servers.listens(self._ports[index]):  # a worker takes a moment to die
            time.sleep(0.001)
        return Span(start, self.clock())

    def stop_app(self, index: int) -> Span:
        """Ask one process to finish what it has begun, and to end (SIGTERM); how long it took."""
        start = self.clock()
        self._apps[index].terminate()
        self._apps[index].wait(40)
        return Span(start, self.clock())

    def close(self) -> None:
        self._front.close()
        for index in self._apps:
            self.kill_app(index)
        super().close()


class CalmLife(ShoppersLife):
    """A shopper who waits for every answer, so that an answer that is missing was lost by us."""

    def live(self, errand: int) -> None:
        """As everybody, after a look around."""
        for path in ("/api/products", "/api/products?q=thing", "/api/categories"):
            self._me.insist(lambda path=path: self._me.send("browse", "GET", path))  # type: ignore[misc]
        super().live(errand)

    def _impatiently(self, purchase: Purchase) -> None:
        """Not this one."""


@dataclass
class Outcome:
    """What came of it."""

    history: History
    violations: list[Violation]
    kills: list[Span] = field(default_factory=list)
    stops: list[Span] = field(default_factory=list)
    served: list[int] = field(default_factory=list)
    """Requests that each process answered, since its last start."""

    @property
    def lost(self) -> list[Attempt]:
        """Requests that got no whole answer, or a 5xx."""
        return [attempt for attempt in self.history if attempt.outcome == "unknown"]

    @property
    def unexplained(self) -> list[Attempt]:
        """Those of them that were not under way when a process was killed."""
        return [
            attempt
            for attempt in self.lost
            if not any(attempt.start <= kill.end and kill.start <= attempt.end for kill in self.kills)
        ]  # fmt: skip

    @property
    def orders(self) -> int:
        """How many were acknowledged."""
        placed = (a for a in self.history.of("place_order") if a.outcome == "ok")
        return len({attempt.answer["number"] for attempt in placed})

    def lines(self) -> Iterator[str]:
        """The same for people."""
        for lost in self.unexplained:
            yield f"{lost.start:.3f} to {lost.end:.3f} s: {lost.method} {lost.path}: {lost.answer}"
        for span in (*self.kills, *self.stops):
            yield f"down from {span.start:.3f} to {span.end:.3f} s"
        yield f"{len(self.history)} requests, {self.orders} orders; by process: {self.served}"
        reads = sum(lost.method == "GET" for lost in self.lost)
        yield f"{len(self.kills)} killed (kill -9): {len(self.lost)} requests lost, {reads} of them reads;"
        yield f"  {len(self.unexplained)} that were not under way at that moment"
        yield f"{len(self.stops)} stopped (TERM) under load: {self._lost_in_stops()} requests lost"
        yield f"{len(self.violations)} violations (oversold, doubled, lost; the shop's own audit)"

    def _lost_in_stops(self) -> int:
        spans = self.stops
        return sum(any(s.start <= a.end and a.start <= s.end for s in spans) for a in self.lost)


def trade(setting: ScaledSetting, rng: random.Random, each: int = APPS) -> Outcome:
    """Let people trade while so many processes are killed, one after the other, and then stopped."""
    history = History()
    town = world.build(setting, history, rng, staff=STAFF)
    outcome = Outcome(history, [])
    with _people(setting, history, rng, town):
        for index in range(each):
            time.sleep(MEET)
            outcome.kills.append(setting.kill_app(index))
            time.sleep(MEET)
            setting.start_app(index)
        for index in range(each):
            time.sleep(MEET)
            outcome.stops.append(setting.stop_app(index))
            time.sleep(MEET)
            setting.start_app(index)
        outcome.served = [_until_it_serves(address) for address in setting.addresses]
    outcome.violations += check(history, read_books(setting.database_url), town.facts)
    audit = setting.flask("audit")
    if audit.exit_code != 0:
        told = f"{audit.output} {audit.exception!r}"
        outcome.violations += [Violation("audit", line) for line in told.splitlines()]
    return outcome


@contextmanager
def _people(
    setting: ScaledSetting, history: History, rng: random.Random, town: world.World
) -> Iterator[None]:
    """Shoppers and staff, all along the block."""
    closing = threading.Event()
    seeds = [rng.getrandbits(64) for _ in range(SHOPPERS)]

    def shop(index: int) -> None:
        dice = random.Random(seeds[index])
        life = 0
        while not closing.is_set():
            label = f"shopper-{index}-{life}"
            CalmLife(Shopper(label, setting, history, dice), town, closing).live(index)
            life += 1

    with ThreadPoolExecutor(SHOPPERS + STAFF) as threads:
        running = [threads.submit(shop, index) for index in range(SHOPPERS)]
        running += [threads.submit(StaffsDay(one, town, closing).work) for one in town.staff]
        try:
            yield
        finally:
            closing.set()
        for one in running:
            one.result()


def _until_it_serves(address: str) -> int:
    """How many requests it has answered, once there is one: nginx comes back to it in time."""
    deadline = time.monotonic() + 30
    while not (count := _served(address)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return count


def _served(address: str) -> int:
    figures = requests.get(f"{address}/metrics", timeout=10).text.splitlines()
    counts = (line for line in figures if line.startswith("shop_requests_total{"))
    return int(sum(float(line.rpartition(" ")[2]) for line in counts if "/healthz" not in line))


@contextmanager
def scaled_out(**environ: str) -> Iterator[ScaledSetting]:
    """A furnished shop in three processes of one worker each."""
    with fire_setting("postgresql", workers=1, environ=environ, kind=ScaledSetting) as setting:
        assert isinstance(setting, ScaledSetting)
        yield setting


def main() -> int:
    """Trade, and tell; 1 where something is wrong."""
    with scaled_out() as setting:
        outcome = trade(setting, random.Random())
    for line in outcome.lines():
        sys.stdout.write(f"{line}\n")
    return int(bool(outcome.violations or outcome.unexplained))


if __name__ == "__main__":
    sys.exit(main())

"""What a streaming replica buys: lists of which no answer is stored, read with and without one."""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2

from tests.performance import cpu
from tests.performance.http import insist, request
from tests.performance.load import Answer, Operation
from tests.performance.measure import Figures, one_round
from tests.performance.setting import DURABLE, Options, Setting, bench_setting, serving
from tests.performance.workloads import SEARCHED, Workload
from tests.servers import PostgreSQL

PATHS = {
    "list": "/api/products?per_page=20",
    "search": f"/api/products?q={SEARCHED}&per_page=20",
    "facets": f"/search?q={SEARCHED}",
}
PARTS = ("server", "database", "replica")
_prices = count(1_000_000)


@contextmanager
def replicated(options: Options, products: int, orders: int, workers: int) -> Iterator[
    tuple[Setting, Setting]
]:  # fmt: skip
    """A shop that reads its primary alone, and one on the same primary that has a replica."""
    with ExitStack() as stack:
        primary = stack.enter_context(_running())
        copy = stack.enter_context(_running(following=primary))
        own = replace(options, database=primary.url, keep=False)
        plain = stack.enter_context(bench_setting(own, products, orders, buyers=False))
        ports = str(primary.port), str(copy.port)
        url = plain.environ["DATABASE_URL"].replace(*ports)
        roots = {**plain.roots, "replica": _root(plain.database_url.replace(*ports))}
        plain = replace(plain, roots=roots)
        with_replica = replace(plain, environ={**plain.environ, "DATABASE_REPLICA_URL": url})
        yield (
            stack.enter_context(serving(plain, ["uncached"], workers)),
            stack.enter_context(serving(with_replica, ["uncached"], workers)),
        )


def measure_replica(settings: tuple[Setting, Setting], rounds: int, seconds: float) -> Any:
    """CPU milliseconds of an answer by part, and answers a second, in turns without and with."""
    sides = dict(zip(("without", "with"), settings, strict=True))
    figures = {(name, side): Figures() for name in PATHS for side in sides}
    for _ in range(rounds):
        for (name, side), each in figures.items():
            workload = Workload(name, "uncached", _new_question(PATHS[name]))
            each.rounds.append(one_round(sides[side], workload, seconds))
    return {
        name: {side: _described(figures[name, side]) for side in sides} for name in PATHS
    }  # fmt: skip


def _described(each: Figures) -> dict[str, float]:
    return {
        **{part: round(each.part_ms(part), 2) for part in PARTS},
        "rps": round(each.rate(), 1),
    }


def _new_question(path: str) -> Operation:
    """A question that nobody asked before, so that nobody waits for another's answer."""

    def ask() -> Generator[bytes, Answer, None]:
        separator = "&" if "?" in path else "?"
        answer = yield request("GET", f"{path}{separator}max_price={next(_prices)}")
        insist(answer.status == 200, f"{path}: {answer.status}")

    return ask


@contextmanager
def _running(following: PostgreSQL | None = None) -> Iterator[PostgreSQL]:
    with tempfile.TemporaryDirectory(prefix="shopswift-bench-") as folder:
        server = PostgreSQL(Path(folder), DURABLE, following=following)
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _root(database_url: str) -> int:
    """The first process of a server on this machine."""
    connection = psycopg2.connect(database_url)
    try:
        return cpu.parent_of(connection.get_backend_pid())
    finally:
        connection.close()

"""What the shop counts about itself, for Prometheus; who counts need not know how it is kept.

A process by itself counts in its memory. Workers of one server count in files that they share
(`share`), so that any of them can tell the sums of all. Each writes to files of its own, named by a
slot, so that none waits for another. Whoever replaces a worker that ended takes its slot, and goes
on counting where it left off: no count is lost, and the files do not pile up.

Labels have few values, known beforehand: templates of routes, never paths; nothing of a person.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from app.observability import request_stats, task_status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STATEMENTS = (0, 1, 2, 3, 5, 8, 13, 20, 50)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"
"""The route of what is at no route, and the method of what is no method."""
LIMITS = {"rate_limited": "requests", "too_many_attempts": "sign_in"}
"""Which limit refuses with which code."""


class Figures:
    """All that is counted. A new set starts at nothing, or at what its files tell."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count_requests()
        self._count_statements()
        self._count_sales()
        self._count_guards()
        self._tell_zeros()

    def _count_requests(self) -> None:
        self.requests = self._counter("requests", "Requests answered.", "method", "route", "status")
        self.request_seconds = self._histogram(
            "request_seconds", "Time to answer a request.", SECONDS, "method", "route"
        )
        self.in_flight = self._gauge("requests_in_flight", "Requests under way.")
        self.workers = self._gauge("workers", "Processes that answer requests.")
        self.threads = self._gauge("threads", "Requests that they can answer at a time.")
        self.refusals = self._counter("refusals", "Requests refused, by the code told.", "code")
        self.cache_lookups = self._counter(
            "cache_lookups", "Looks for a ready answer: hit, miss, or away.", "kind", "outcome"
        )
        self.lock_timeouts = self._counter(
            "lock_timeouts", "Requests refused (503) because a lock in the database was not free."
        )
        self.cache_failures = self._counter(
            "cache_failures", "Calls to the cache that failed; it is skipped for a second then."
        )

        self.replica_reads = self._counter(
            "replica_reads",
            "Reads that a replica may serve: by replica, or by the primary as it was behind or away.",
            "outcome",
        )

    def _count_statements(self) -> None:
        self.request_statements = self._histogram(
            "request_statements", "SQL statements of a request.", STATEMENTS
        )
        self.statements = self._counter("statements", "SQL statements.", "method", "route")
        self.statement_seconds = self._counter(
            "statement_seconds", "Time spent waiting for SQL statements.", "method", "route"
        )
        self.slow_statements = self._counter(
            "slow_statements", "SQL statements that took SLOW_QUERY_MS or longer."
        )
        self.connections = self._gauge(
            "database_connections",
            "Connections to the database: open, in_use, size (kept), limit (open at most);"
            " and waiting, requests that have asked for one.",
            "state",
        )

    def _count_sales(self) -> None:
        self.orders = self._counter("orders_placed", "Orders placed.", "currency", "buyer")
        self.revenue = self._counter(
            "revenue_minor_units", "Totals of the orders placed, in minor units.", "currency"
        )
        self.minor_units = Gauge(
            "shop_currency_minor_units",
            "Minor units of one unit of the currency: 100 cents of a dollar, 1 of a yen.",
            ("currency",),
            registry=self.registry,
            multiprocess_mode="max",
        )
        self.stock_outs = self._counter("stock_outs", "Orders refused for want of stock.")
        self.sold_out = self._counter("sold_out", "Articles whose last unit was ordered.")
        self.imports = self._counter("imports", "Uploaded lists worked off.", "step")
        self.import_rows = self._counter(
            "import_rows", "Rows of uploaded lists that were taken in.", "outcome"
        )

    def _count_guards(self) -> None:
        self.limits_hit = self._counter("limits_hit", "Requests refused by a limit.", "limit")
        self.sign_ins = self._counter("sign_ins", "Passwords tried at the sign-in.", "outcome")
        self.lockouts = self._counter("lockouts", "Locks set by the guard against guessing.")
        self.passwords = self._gauge(
            "passwords", "Requests that hash a password, or wait for their turn.", "state"
        )

    def _tell_zeros(self) -> None:
        # Prometheus sees a rise only from a figure that it has seen before.
        for code in ("internal_error", "unavailable", "busy", "out_of_stock", *LIMITS):
            self.refusals.labels(code)
        for limit in LIMITS.values():
            self.limits_hit.labels(limit)
        for outcome in ("right", "wrong"):
            self.sign_ins.labels(outcome)

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"shop_{name}", told, labels, registry=self.registry)

    def _gauge(self, name: str, told: str, *labels: str) -> Gauge:
        # Of workers, those that live are added up.
        return Gauge(
            f"shop_{name}", told, labels, registry=self.registry, multiprocess_mode="livesum"
        )

    def _histogram(
        self, name: str, told: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"shop_{name}", told, labels, buckets=buckets, registry=self.registry)


class TaskFigures:
    """Figures of the tasks that run by the clock, told from their files: see `app.observability.task_status`."""

    def __init__(self) -> None:
        self.succeeded_at = GaugeMetricFamily(
            "shop_task_success_timestamp_seconds",
            "When a task last succeeded, in Unix time; 0 where that is not known.",
            labels=("task",),
        )
        self.failed = GaugeMetricFamily(
            "shop_task_failed", "1 where the last run of a task failed.", labels=("task",)
        )
        self.backup_bytes = GaugeMetricFamily(
            "shop_backup_bytes", "Size of the last good backup, with pictures."
        )
        self.violations = GaugeMetricFamily(
            "shop_audit_violations", "Violations that the last audit named."
        )

    def families(self) -> Iterable[GaugeMetricFamily]:
        """All of them."""
        return (self.succeeded_at, self.failed, self.backup_bytes, self.violations)


# --- what happened ---


def request_began() -> None:
    """A request came to this thread."""
    request = request_stats.current
    if not request.is_open:  # else one before it was broken off, and this one takes its place
        request.is_open = True
        _kept.in_flight.inc()
    request.begin()


def request_ended(method: str, route: str | None, status: int, seconds: float) -> None:
    """This thread's request was answered; `route` is the template of its address."""
    requests, request_seconds, statements, statement_seconds = _of_route(
        method if method in METHODS else UNKNOWN, route or UNKNOWN, status
    )
    requests.inc()
    request_seconds.observe(seconds)
    request = request_stats.current
    _kept.request_statements.observe(request.statements)
    if request.statements:
        statements.inc(request.statements)
        statement_seconds.inc(request.seconds)
    if request.is_open:
        request.is_open = False
        _kept.in_flight.dec()


def refused(code: str) -> None:
    """The shop said no, with this code, which the request's log line names, too."""
    request_stats.current.refusal = code
    _kept.refusals.labels(code).inc()
    if code in LIMITS:
        _kept.limits_hit.labels(LIMITS[code]).inc()


def cache_looked_up(kind: str, outcome: str) -> None:
    """A ready answer was looked for: `hit`, `miss`, or `away` where the cache is."""
    request_stats.current.cache = outcome
    _lookups(kind, outcome).inc()


def cache_failed() -> None:
    """A call to the cache failed."""
    _kept.cache_failures.inc()


def lock_timed_out() -> None:
    """A request was given up because a lock in the database was not free in time."""
    _kept.lock_timeouts.inc()


def replica_asked(outcome: str) -> None:
    """A read was served by the `replica`; or by the primary, as that was `behind` or `away`."""
    _kept.replica_reads.labels(outcome).inc()


def statement_was_slow() -> None:
    """A statement took longer than it should."""
    _kept.slow_statements.inc()


def connections_changed(state: str, by: int) -> None:
    """More or fewer connections are in this state now."""
    _connections(state).inc(by)


def order_placed(
    total: int, currency: str, minor_units: int, is_guest: bool, sold_out: int
) -> None:
    """An order stands: over `total` minor units, and the last units of `sold_out` articles.

    `minor_units` of the currency make one unit, so that a dashboard can show money.
    """
    _kept.orders.labels(currency, "guest" if is_guest else "customer").inc()
    _kept.revenue.labels(currency).inc(total)
    _kept.minor_units.labels(currency).set(minor_units)
    _kept.sold_out.inc(sold_out)


def order_lacked_stock() -> None:
    """An order was refused because something in it was short."""
    _kept.stock_outs.inc()


def import_ended(step: str) -> None:
    """An uploaded list was `checked`, or is `done`."""
    _kept.imports.labels(step).inc()


def rows_imported(counts: Mapping[str, int]) -> None:
    """Rows of an uploaded list were taken in: how many with which outcome."""
    for outcome, count in counts.items():
        _kept.import_rows.labels(outcome).inc(count)


def password_tried(fits: bool) -> None:
    """A password was compared at the sign-in."""
    _kept.sign_ins.labels("right" if fits else "wrong").inc()


def passwords_changed(state: str, by: int) -> None:
    """More or fewer requests are `hashing` a password now, or `waiting` to."""
    _kept.passwords.labels(state).inc(by)


def locked_out() -> None:
    """The guard against guessing set a lock."""
    _kept.lockouts.inc()


# --- how it is kept, and told ---


def report(status_folder: Path | None = None) -> bytes:
    """All figures as Prometheus reads them; the workers' together where they share a folder.

    What tasks left in `status_folder` is read each time, if one is given.
    """
    tasks = CollectorRegistry()
    if status_folder is not None:
        tasks.register(_StoredTasks(status_folder))
    if _folder is None:
        return generate_latest(_kept.registry) + generate_latest(tasks)
    registry = CollectorRegistry()
    registry.register(_AllFiles(_folder))
    return generate_latest(registry) + generate_latest(tasks)


def share(folder: Path) -> None:
    """Count in files of this folder from now on: before the workers are forked."""
    global _folder
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)  # where the library looks for it
    values.ValueClass = values.MultiProcessValue(lambda: _slot)  # type: ignore[no-untyped-call]
    _folder = folder
    _begin()


def forget() -> None:
    """Remove the folder, at the server's end."""
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


def is_shared() -> bool:
    """Whether workers count together."""
    return _folder is not None


def free_slot(taken: Iterable[str]) -> str:
    """The first slot that no living worker has."""
    used = set(taken)
    return next(slot for slot in map(str, range(len(used) + 1)) if slot not in used)


def take_slot(slot: str, threads: int, pool_size: int, pool_limit: int) -> None:
    """In a new worker: go on counting in the files of this slot. It keeps `pool_size` connections
    to the database, and opens no more than `pool_limit`."""
    global _slot
    leave_slot(slot)
    _slot = slot
    _kept.workers.set(1)
    _kept.threads.set(threads)
    _connections("size").set(pool_size)
    _connections("limit").set(pool_limit)


def leave_slot(slot: str) -> None:
    """After a worker's end: what it had under way is no more; its counts stay."""
    mark_process_dead(slot, str(_folder))  # type: ignore[no-untyped-call]


class _AllFiles(Collector):
    """The sums over the files of all workers, those that ended included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Read all files but those that are just being made, or gone by now."""
        files = [str(file) for file in self._folder.glob("*.db") if _size(file)]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


class _StoredTasks(Collector):
    """How the tasks ended last, as their files tell."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Read the files of all tasks."""
        figures = TaskFigures()
        tasks = task_status.all_tasks(self._folder)
        for name, status in tasks.items():
            figures.succeeded_at.add_metric([name], status.succeeded_at)
            figures.failed.add_metric([name], float(status.failed))
        figures.backup_bytes.add_metric([], tasks["backup"].value)
        figures.violations.add_metric([], tasks["audit"].value)
        yield from figures.families()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _begin() -> None:
    global _kept
    _kept = Figures()
    for remembered in (_of_route, _lookups, _connections):
        remembered.cache_clear()


# The library looks labels up under a lock and spells them out each time.
@cache
def _of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram, Counter, Counter]:
    return (
        _kept.requests.labels(method, route, status),
        _kept.request_seconds.labels(method, route),
        _kept.statements.labels(method, route),
        _kept.statement_seconds.labels(method, route),
    )


@cache
def _lookups(kind: str, outcome: str) -> Counter:
    return _kept.cache_lookups.labels(kind, outcome)


@cache
def _connections(state: str) -> Gauge:
    return _kept.connections.labels(state)


_folder: Path | None = None
_slot = "parent"
_kept = Figures()

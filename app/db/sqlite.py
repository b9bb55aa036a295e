"""Settings that make SQLite safe for a shop: write-ahead log, foreign keys, private files, and a
fair queue of writers."""

import logging
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPICursor

BUSY_MILLISECONDS = 900
"""How long one try waits while no other writer commits: three tries of `in_transaction` stay below
3 s."""
QUEUE_SECONDS = 4.0
"""How long one try waits while other writers commit, one after the other."""
PAUSES = (0.012, 0.004)
"""Seconds between two tries to begin: at first, and after a second."""

FILES = ("", "-wal", "-shm", "-journal")
"""The endings of the names of a database's files (https://www.sqlite.org/tempfiles.html)."""
FILE_MODE, FOLDER_MODE = 0o600, 0o700
_ANY_ACCESS_BY_OTHERS = 0o077
_WRITABLE_BY_OTHERS = 0o022

log = logging.getLogger(__name__)
_creation = threading.Lock()


def prepare_folder(engine: Engine, own_folder: Path) -> None:
    """Create the folder of a SQLite database, and take other users' rights to it and its files.

    The folder becomes 0700 if it is new, if it is `own_folder`, or if it holds nothing but the
    database: another one, such as /srv, may be shared on purpose. Files become 0600.

    Raises:
        OSError: the folder cannot be created.
    """
    file = file_of(engine)
    if file is None:
        return
    if not file.parent.is_dir():
        file.parent.parent.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(mode=FOLDER_MODE, exist_ok=True)
    elif file.parent == own_folder or _holds_only(file):
        _make_private(file.parent)
    for path in _files(file):
        _make_private(path)


def file_of(engine: Engine) -> Path | None:
    """The file of a SQLite database; None for PostgreSQL and for SQLite's `file:` URIs."""
    name = str(engine.url.database)
    if engine.dialect.name != "sqlite" or name.startswith("file:"):
        return None
    return Path(name)


def exposed_paths(file: Path) -> list[Path]:
    """The database's files that other users may read, and its folder if they may write to it."""
    paths = [path for path in _files(file) if _mode(path) & _ANY_ACCESS_BY_OTHERS]
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


def _make_private(path: Path) -> None:
    """Take all rights from group and others, where the path is this user's."""
    mode = _mode(path)
    if not mode & _ANY_ACCESS_BY_OTHERS:
        return
    try:
        path.chmod(mode & ~_ANY_ACCESS_BY_OTHERS)
    except OSError as error:
        log.warning(
            "Other users have access to %s, and its mode cannot be changed: %s.",
            path,
            error.strerror,
        )


def install(engine: Engine) -> None:
    """Attach private files, pragmas and immediate transactions to an engine of SQLite."""
    event.listen(engine, "do_connect", _create_private_file)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin)


def _create_private_file(
    _dialect: object, _record: object, arguments: Sequence[object], _options: object
) -> None:
    """Create the database's file for this user alone, whatever the umask is.

    SQLite gives its other files the mode of this one. A file that exists is not opened: closing it
    again would release the locks that other connections of this process hold on it (POSIX).
    """
    name = str(arguments[0])
    if name.startswith("file:"):
        return
    with _creation, suppress(OSError):  # it exists, or SQLite will report why it cannot be created
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_RDWR, FILE_MODE))


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    # The driver's own BEGIN comes too late and is deferred: `_begin` sends it instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()
    # SQLite's own lower() knows ASCII only, so that searching would depend on the database.
    connection.create_function("lower", 1, _lower, deterministic=True)
    # There is one writer at a time, so this lock of PostgreSQL's has nothing to do.
    connection.create_function("pg_advisory_xact_lock", 1, lambda _number: None)


def _lower(value: object) -> Any:
    return value.lower() if isinstance(value, str) else value


def _begin(connection: Connection) -> None:
    """Send BEGIN IMMEDIATE for writers: what they read stays true until they commit.

    With a deferred BEGIN a reader that turns writer fails at once when another connection has
    written, whatever the busy timeout is.
    """
    if connection.get_execution_options().get("shop_writes", False):
        _begin_writing(connection)
    else:
        connection.exec_driver_sql("BEGIN")


def _begin_writing(connection: Connection) -> None:
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            if not _WriteQueue(cursor).begin():
                connection.exec_driver_sql("BEGIN IMMEDIATE")  # raises SQLAlchemy's error
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")


class _WriteQueue:
    """A writer who waits for those who came before.

    SQLite's busy handler waits longer after each try, so new writers overtake old ones, which time
    out. Here the pauses become shorter, and waiting goes on for as long as other writers commit.
    """

    def __init__(self, cursor: DBAPICursor) -> None:
        self._cursor = cursor
        self._started_at = self._checked_at = time.monotonic()
        self._version: int | None = None

    def begin(self) -> bool:
        """Begin a transaction that may write; False where further waiting is of no use."""
        while True:
            try:
                self._cursor.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or not self._is_moving():
                    return False
            time.sleep(random.uniform(0.5, 1.5) * self._pause())  # noqa: S311 - spreads the tries

    def _is_moving(self) -> bool:
        """Whether another writer committed within BUSY_MILLISECONDS."""
        now = time.monotonic()
        if self._version is not None and now - self._checked_at < BUSY_MILLISECONDS / 1000:
            return True
        self._cursor.execute("PRAGMA data_version")  # rises with every commit of another connection
        ((version,),) = self._cursor.fetchall()
        is_moving = version != self._version
        self._version, self._checked_at = version, now
        return bool(is_moving) and now - self._started_at < QUEUE_SECONDS

    def _pause(self) -> float:
        first, last = PAUSES
        return max(last, first - (first - last) * (time.monotonic() - self._started_at))

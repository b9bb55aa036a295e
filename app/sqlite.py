"""What makes SQLite safe for a shop: write-ahead log, foreign keys, writers one at a time."""

import random
import sqlite3
import time
from contextlib import closing
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


def make_folder(engine: Engine) -> None:
    """Make the folder that a SQLite database's file is to lie in."""
    file = str(engine.url.database)
    if engine.dialect.name == "sqlite" and not file.startswith("file:"):
        Path(file).parent.mkdir(parents=True, exist_ok=True)


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

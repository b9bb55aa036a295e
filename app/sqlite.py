"""What makes SQLite safe for a shop: write-ahead log, foreign keys, writers one at a time."""

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, event

BUSY_MILLISECONDS = 900
"""How long one try waits for another writer: three tries of `in_transaction` stay below 3 s."""


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
    if connection.dialect.name == "sqlite":
        writes = connection.get_execution_options().get("shop_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

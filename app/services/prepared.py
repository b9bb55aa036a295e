"""Statements that are made once and run many times, past the session's bookkeeping.

Putting a statement together and turning its rows into objects that are watched takes SQLAlchemy
several times as long as sending it. What is run with every sale is therefore made once, with
`bindparam` where the values go, and its rows are read as they are.
"""

from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite

from app.extensions import db
from app.models import Base


def run(statement: Executable, values: Any = None, **named: Any) -> CursorResult[Any]:
    """Run a statement in the session's transaction, with values by name or several rows of them.

    Nothing that waits in the session is flushed before, and no object in it changes.
    """
    return db.session.connection().execute(statement, values if values is not None else named)


def on_postgresql() -> bool:
    """Whether the database is PostgreSQL; else it is SQLite."""
    return db.session.connection().dialect.name == "postgresql"


def upsert(table: type[Base], is_postgresql: bool) -> Any:
    """An INSERT that knows ON CONFLICT: both databases have it, SQLAlchemy in two classes."""
    return (postgresql.insert if is_postgresql else sqlite.insert)(table)

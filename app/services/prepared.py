"""Statements that are made once and run many times, past the session's bookkeeping.

Putting a statement together and turning its rows into objects that are watched takes SQLAlchemy
several times as long as sending it. What is run with every sale is therefore made once, with
`bindparam` where the values go, and its rows are read as they are.
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import CursorResult, Executable
from sqlalchemy.dialects import postgresql, sqlite

from app.extensions import db

Prepared = Executable | Mapping[str, Executable]
"""A statement, or one for each database by its name."""


def run(statement: Prepared, values: Any = None, **named: Any) -> CursorResult[Any]:
    """Run a statement in the session's transaction, with values by name or several rows of them.

    Nothing that waits in the session is flushed before, and no object in it changes.
    """
    connection = db.session.connection()
    if isinstance(statement, Mapping):
        statement = statement[connection.dialect.name]
    return connection.execute(statement, named if values is None else values)


def upsert(make: Callable[[Any], Executable]) -> Mapping[str, Executable]:
    """What `make` makes of an INSERT that knows ON CONFLICT: both databases have the words,
    SQLAlchemy has a class for each."""
    return {"postgresql": make(postgresql.insert), "sqlite": make(sqlite.insert)}

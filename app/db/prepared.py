"""Statements that are built once and run many times, and PostgreSQL's prepared statements.

Problem: building a statement and turning its rows into objects that are tracked takes SQLAlchemy
several times as long as sending it, and PostgreSQL takes longer to parse and plan a statement of a
sale than to run it. psycopg2 has it do both each time.

Solution: what runs with every sale is a module constant with `bindparam` for its values, and `run`
returns plain rows. A statement marked with `prepared` is sent as PREPARE once for each connection
and as EXECUTE from then on. Mark statements that look rows up by key; one that lists or searches is
better planned for its values.

Measured: BENCHMARKS.md has a cart and a purchase with and without prepared statements. They save a
quarter of the database's time, 7 % of the whole.

Simpler but wrong:

- Preparing through a pooler in transaction mode: it runs PREPARE and EXECUTE on different
  connections. `app.db.engines` therefore switches it off for DATABASE_POOLER, and `_is_direct`
  recognizes a pooler that nobody configured.
- Keeping a plan for the life of its connection: a plan made for a few rows joins whole tables, and
  tables grow. Plans are made anew after PLAN_SECONDS.
- Running a statement again whose result type a migration changed: inside a transaction PostgreSQL
  has aborted it, so the connection is closed and `in_transaction` repeats the work.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from psycopg2.errors import FeatureNotSupported
from sqlalchemy import CursorResult, Engine, Executable, Insert, bindparam, event, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.sql.compiler import SQLCompiler

from app.extensions import db

CAN_PREPARE = "shop_can_prepare"
"""The option of an engine whose connections lead to one server process each."""
PLAN_SECONDS = 10.0
"""How long a connection uses its plans before PostgreSQL makes them anew."""
MAX_PREPARED = 200
"""Prepared statements of one connection; further ones are planned each time."""
_IS_PREPARED = "shop_is_prepared"
T = TypeVar("T")
E = TypeVar("E", bound=Executable)
StatementByDialect = Executable | Mapping[str, Executable]
"""A statement, or one for each database by the name of its dialect."""
Values = Mapping[str, object]


def prepared(statement: E) -> E:
    """Mark a statement as one that PostgreSQL prepares at its first use on a connection."""
    return statement.execution_options(**{_IS_PREPARED: True})


def run(
    statement: StatementByDialect,
    values: Values | Sequence[Values] | None = None,
    /,
    **parameters: object,
) -> CursorResult[Any]:
    """Run a statement in the session's transaction, with values by name or several rows of them.

    The session is not flushed before, and none of its objects change.
    """
    connection = db.session.connection()
    if isinstance(statement, Mapping):
        statement = statement[connection.dialect.name]
    return connection.execute(statement, parameters if values is None else values)


def by_owner(
    statement: Executable, ids: Iterable[int], make: Callable[..., T]
) -> defaultdict[int, list[T]]:
    """Run a statement for these `ids` and group its rows by their first column, the owner's id.

    `make` turns the other columns of a row into an item.
    """
    items: defaultdict[int, list[T]] = defaultdict(list)
    for row in run(statement, ids=list(ids)):
        items[row[0]].append(make(*row[1:]))
    return items


def insert_values(model: type[object], *names: str) -> Insert:
    """The INSERT of one row, whose values are bound by the names of their columns."""
    return insert(model).values({name: bindparam(name) for name in names})


def upsert(make: Callable[[Any], Executable]) -> Mapping[str, Executable]:
    """The same INSERT with ON CONFLICT for both databases: SQLAlchemy has a class for each.

    `make` is called with the `insert` function of each dialect.
    """
    return {"postgresql": prepared(make(postgresql.insert)), "sqlite": make(sqlite.insert)}


class _Statement(NamedTuple):
    """What is sent instead of a statement's text."""

    name: str
    prepare: str
    execute: str


def install(engine: Engine) -> None:
    """Let an engine of PostgreSQL prepare marked statements, unless it lacks CAN_PREPARE."""
    event.listen(engine, "do_execute", _execute)


def _execute(cursor: Any, statement: str, values: Values, context: ExecutionContext) -> bool:
    """Run a marked statement through PREPARE and EXECUTE; False leaves it to SQLAlchemy.

    Listeners for statements see the original text. psycopg2, whose cursor this is, has no types.
    """
    options, compiled = context.execution_options, context.compiled
    if not (options.get(_IS_PREPARED) and options.get(CAN_PREPARE)):
        return False
    # The text of an `in_` depends on the number of its values.
    if context.executemany or not isinstance(compiled, SQLCompiler) or compiled.post_compile_params:
        return False
    return _execute_prepared(cursor, _prepared_text(statement, tuple(values)), values)


def _execute_prepared(cursor: Any, statement: _Statement, values: Values) -> bool:
    connection = cursor.connection
    if not _is_direct(cursor):
        return False
    if statement.name not in connection.prepared_names:
        if len(connection.prepared_names) == MAX_PREPARED:
            return False
        cursor.execute(statement.prepare)
        connection.prepared_names.add(statement.name)  # a rollback does not undo PREPARE
    _discard_old_plans(cursor)
    try:
        cursor.execute(statement.execute, values)
    except FeatureNotSupported:  # a migration changed the type of a column in the result
        if not connection.autocommit:
            connection.close()
            raise
        cursor.execute(f"DEALLOCATE {statement.name}")
        connection.prepared_names.discard(statement.name)
        return False
    return True


def _is_direct(cursor: Any) -> bool:
    """Whether the server process that answers is the one that the connection was opened to."""
    connection = cursor.connection
    if connection.is_direct is None:
        cursor.execute("SELECT pg_backend_pid()")
        connection.is_direct = cursor.fetchone()[0] == connection.info.backend_pid
    return bool(connection.is_direct)


def _discard_old_plans(cursor: Any) -> None:
    now = time.monotonic()
    if now - cursor.connection.planned_at > PLAN_SECONDS:
        cursor.execute("DISCARD PLANS")
        cursor.connection.planned_at = now


@cache
def _prepared_text(statement: str, names: tuple[str, ...]) -> _Statement:
    name = f"shop_{abs(hash((statement, names)))}"
    places = {value: f"${place}" for place, value in enumerate(names, 1)}
    arguments = ", ".join(f"%({value})s" for value in names)
    prepare = f"PREPARE {name} AS {statement % places}"
    execute = f"EXECUTE {name} ({arguments})" if arguments else f"EXECUTE {name}"
    return _Statement(name, prepare, execute)

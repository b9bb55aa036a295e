"""Lets PostgreSQL keep its plans of statements that come again and again.

To parse and plan a statement of a sale takes PostgreSQL longer than to carry it out, and psycopg2
asks for both each time. PREPARE and EXECUTE are PostgreSQL's own words for planning once; what is
prepared lasts as long as its connection, so a pooler that hands connections around must not be
between (`app.db.engines`).

It is for statements that find their rows by key. One that lists or searches is better planned
for the values that it has.
"""

import time
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

from psycopg2.errors import FeatureNotSupported
from sqlalchemy import Engine, Executable, event

LASTING = "shop_connections_last"
"""The option of an engine whose connections stay the same from one statement to the next."""
FRESH_SECONDS = 10.0
"""For how long a connection's plans are good: what was planned for few rows may be wrong for many."""
MOST = 200
"""Plans that one connection keeps; what comes later is planned each time."""
_KEPT = "shop_keeps_plan"
E = TypeVar("E", bound=Executable)


class Plan(NamedTuple):
    """What is sent in place of a statement: once to prepare it, then to carry it out."""

    name: str
    prepare: str
    execute: str


def kept(statement: E) -> E:
    """The statement, whose plan is kept from its first use on a connection."""
    return statement.execution_options(**{_KEPT: True})


@event.listens_for(Engine, "do_execute")
def _execute(cursor: Any, statement: str, values: Any, context: Any) -> bool:
    """Whether the statement was carried out here: below whatever watches it, which sees its text."""
    options = context.execution_options
    if not (options.get(_KEPT) and options.get(LASTING)):
        return False
    # The text of these depends on how many values there are.
    if context.executemany or context.compiled.post_compile_params:
        return False
    return _carry_out(cursor, _plan(statement, tuple(values)), values)


def _carry_out(cursor: Any, plan: Plan, values: Mapping[str, Any]) -> bool:
    connection = cursor.connection
    if not _is_direct(cursor):
        return False
    if plan.name not in connection.plans:
        if len(connection.plans) == MOST:
            return False
        cursor.execute(plan.prepare)
        connection.plans.add(plan.name)  # a rollback does not undo it
    _plan_afresh(cursor)
    try:
        cursor.execute(plan.execute, values)
    except FeatureNotSupported:  # a migration changed the type of what it answers
        if not connection.autocommit:
            connection.close()  # the work is tried again, on a new one
            raise
        cursor.execute(f"DEALLOCATE {plan.name}")
        connection.plans.discard(plan.name)
        return False
    return True


def _is_direct(cursor: Any) -> bool:
    """Whether the process that answers is the one that the connection was made to: of a pooler that
    nobody told us of, it is not."""
    connection = cursor.connection
    if connection.is_direct is None:
        cursor.execute("SELECT pg_backend_pid()")
        connection.is_direct = cursor.fetchone()[0] == connection.info.backend_pid
    return bool(connection.is_direct)


def _plan_afresh(cursor: Any) -> None:
    """Have old plans made anew: one for small tables may join them whole, and they grow."""
    now = time.monotonic()
    if now - cursor.connection.planned_at > FRESH_SECONDS:
        cursor.execute("DISCARD PLANS")
        cursor.connection.planned_at = now


@cache
def _plan(statement: str, names: tuple[str, ...]) -> Plan:
    name = f"shop_{abs(hash((statement, names)))}"
    places = {value: f"${place}" for place, value in enumerate(names, 1)}
    given = ", ".join(f"%({value})s" for value in names)
    prepare = f"PREPARE {name} AS {statement % places}"
    return Plan(name, prepare, f"EXECUTE {name} ({given})" if given else f"EXECUTE {name}")

"""Statements that are made once and run many times, past the session's bookkeeping.

Putting a statement together and turning its rows into objects that are watched takes SQLAlchemy
several times as long as sending it. What is run with every sale is therefore made once, with
`bindparam` where the values go, and its rows are read as they are. Of those that find their rows
by key PostgreSQL, too, makes its plan once (`app.db.plans`).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import CTE, BigInteger, CursorResult, Executable, FromClause, Row, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from app.db.plans import kept
from app.extensions import db

T = TypeVar("T")
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


def by_owner(
    statement: Executable, ids: Iterable[int], make: Callable[..., T]
) -> defaultdict[int, list[T]]:
    """What a statement finds for these `ids`: of each row the first column says whose it is, and
    `make` is given the others."""
    found: defaultdict[int, list[T]] = defaultdict(list)
    for row in run(statement, ids=list(ids)):
        facts: tuple[Any, ...] = row[1:]
        found[row[0]].append(make(*facts))
    return found


def upsert(make: Callable[[Any], Executable]) -> Mapping[str, Executable]:
    """What `make` makes of an INSERT that knows ON CONFLICT: both databases have the words,
    SQLAlchemy has a class for each."""
    return {"postgresql": kept(make(postgresql.insert)), "sqlite": make(sqlite.insert)}


class Chain(NamedTuple):
    """Statements about the one row whose id the first of them returns."""

    whole: Executable
    """All of them in one, as PostgreSQL takes them."""
    steps: Sequence[Executable]
    """One after the other, as SQLite does."""


def chain(first: Any, *makers: Callable[[Any, FromClause], Any]) -> Chain:
    """`first`, and what each maker makes of an INSERT that knows ON CONFLICT and of the table of
    one `id`, or none, that the first returns."""
    cte: CTE = first.cte("first")
    *others, last = (make(postgresql.insert, cte) for make in makers)
    between = [other.cte(f"step{place}") for place, other in enumerate(others)]
    known = select(bindparam("first_id", type_=BigInteger()).label("id")).subquery("first")
    steps = [first, *(make(sqlite.insert, known) for make in makers)]
    return Chain(kept(last.add_cte(cte, *between)), steps)


def run_chain(statements: Chain, values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """The rows that the last returns; none, and only the first is run, where that finds no row."""
    if db.session.connection().dialect.name == "postgresql":
        return run(statements.whole, values).all()
    first, *between, last = statements.steps
    first_id = run(first, values).scalar()
    if first_id is None:
        return []
    values = {**values, "first_id": first_id}
    for statement in between:
        run(statement, values)
    return run(last, values).all()

"""The database's clock, for times that several machines compare."""

from typing import Any

from sqlalchemy import BindParameter, Float, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.db.base import UtcDateTime


class seconds_from_now(FunctionElement[Any]):  # noqa: N801 - used like a function of SQL
    """The time on the database's clock in so many seconds; negative ones lie in the past.

    It is the same within a statement and moves on within a transaction, unlike `now()`.
    """

    type = UtcDateTime()
    inherit_cache = True

    def __init__(self, seconds: float | BindParameter[float]) -> None:
        value = literal(float(seconds), Float()) if isinstance(seconds, int | float) else seconds
        super().__init__(value)


@compiles(seconds_from_now, "postgresql")
def _postgresql(element: seconds_from_now, compiler: SQLCompiler, **options: Any) -> str:
    seconds = compiler.process(element.clauses, **options)
    return f"(statement_timestamp() + make_interval(secs => {seconds}))"


@compiles(seconds_from_now, "sqlite")
def _sqlite(element: seconds_from_now, compiler: SQLCompiler, **options: Any) -> str:
    # As SQLAlchemy writes times on SQLite: six places, of which SQLite knows three.
    seconds = compiler.process(element.clauses, **options)
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', {seconds} || ' seconds') || '000')"

"""Writes thousands of rows in one statement: COPY and arrays on PostgreSQL, else executemany.

Column defaults of the models are not applied: callers pass each column that may not be null.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, islice
from typing import Any, cast

import psycopg2
from sqlalchemy import (
    ARRAY,
    BindParameter,
    ColumnElement,
    Connection,
    FromClause,
    String,
    Table,
    any_,
    bindparam,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import InstrumentedAttribute

from app.db import postgresql
from app.db.base import Base
from app.extensions import db

Row = Sequence[object]
"""The values of a row, in the order of its statement's columns."""
FEW = 50
"""COPY does not pay for fewer rows."""
PIECE = 200
"""Rows that are sent at a time: few enough for PostgreSQL to begin before the last ones are built."""
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_SPECIAL = re.compile(r"[\\\t\n\r]")
_ARRAYS = {int: "bigint[]", str: "text[]", datetime: "timestamptz[]", bool: "boolean[]"}


def table_of(model: type[Base]) -> Table:
    """The table of a model."""
    return cast(Table, model.__table__)


def reserve_ids(model: type[Base], count: int) -> list[int]:
    """Ids for `count` new rows, in rising order. On SQLite they hold until the transaction ends."""
    table = table_of(model)
    if _connection().dialect.name == "postgresql":
        query = text(  # a subquery looks the sequence up once
            "SELECT nextval((SELECT pg_get_serial_sequence(:name, 'id')))"
            " FROM generate_series(1, :count)"
        )
        return sorted(db.session.scalars(query, {"name": table.name, "count": count}))
    first = (db.session.scalar(select(func.max(table.c.id))) or 0) + 1
    return list(range(first, first + count))


def among(column: InstrumentedAttribute[Any], values: Collection[object]) -> ColumnElement[bool]:
    """Whether a column has one of many values: one array on PostgreSQL, where `in_` would send
    thousands of parameters."""
    if _connection().dialect.name == "postgresql":
        # Cast to TEXT, not VARCHAR(n): a cast truncates, and a truncated key would match.
        kind = String() if column.type.python_type is str else column.type
        return column == any_(literal(list(values), ARRAY(kind)))
    return column.in_(values)


def insert_rows(model: type[Base], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Insert rows of plain values in the order of `columns`. `rows` may be a generator: PostgreSQL
    then works on the first rows while the others are built."""
    rest = iter(rows)
    first = list(islice(rest, FEW))
    if not first:
        return
    connection, table, rows = _connection(), table_of(model), chain(first, rest)
    is_worth_it = len(first) == FEW and connection.dialect.name == "postgresql"
    if is_worth_it and postgresql.may_copy():
        _copy(connection, table, columns, rows)
    else:
        values = [dict(zip(columns, row, strict=True)) for row in rows]
        connection.execute(insert(table), values)


def update_rows(model: type[Base], columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Set `columns` in many rows; each of `rows` is an id and a value for each column."""
    if not rows:
        return
    connection, table = _connection(), table_of(model)
    if connection.dialect.name == "postgresql":
        _update_from_arrays(connection, table, columns, rows)
    else:
        values: dict[str, BindParameter[object]] = {
            column: bindparam(f"new_{column}") for column in columns
        }
        statement = update(table).where(table.c.id == bindparam("row_id")).values(**values)
        names = ["row_id", *(f"new_{column}" for column in columns)]
        connection.execute(statement, [dict(zip(names, row, strict=True)) for row in rows])


def refresh_statistics(*models: type[Base]) -> None:
    """Have PostgreSQL analyse tables after many inserts. Autovacuum does so within minutes; until
    then plans are made for a few rows, and lists of products take seconds."""
    connection = _connection()
    if connection.dialect.name == "postgresql":
        names = ", ".join(table_of(model).name for model in models)
        # Skips a table that another session has locked: the import must not wait for it.
        connection.execute(text(f"ANALYZE (SKIP_LOCKED) {names}"))


def _connection() -> Connection:
    return db.session.connection()


def _copy(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterator[Row]
) -> None:
    statement = f"COPY {table.name} ({', '.join(columns)}) FROM STDIN"
    try:
        with postgresql.without_deadline():
            cast(Any, connection.connection.cursor()).copy_expert(statement, _Pieces(rows))
    except psycopg2.Error as error:  # as SQLAlchemy's error, which `in_transaction` retries
        raise DBAPIError.instance(
            statement, None, error, psycopg2.Error, hide_parameters=True
        ) from error


class _Pieces:
    """Rows as a file in the text format of COPY, each piece built when it is read."""

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows

    def read(self, _size: int) -> str:
        """The next piece, whatever its size; an empty one at the end."""
        rows = list(islice(self._rows, PIECE))
        columns = map(_as_copy_text, zip(*rows, strict=True))
        return "".join("\t".join(cells) + "\n" for cells in zip(*columns, strict=True))


def _as_copy_text(values: Sequence[Any]) -> Iterable[str]:
    """A column's values in the text format of COPY. They are checked together, as most columns
    hold one type, and no characters that need an escape."""
    types = set(map(type, values))
    if types == {str}:
        return map(_escaped, values) if _SPECIAL.search("".join(values)) else values
    if len(types) == 1:
        return map(_WRITERS[types.pop()], values)
    return (_WRITERS[type(value)](value) for value in values)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _json(value: Any) -> str:
    return _escaped(json.dumps(value, ensure_ascii=False)) if value else str(value)


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _escaped,
    int: str,
    bool: str,
    type(None): lambda _: r"\N",
    datetime: lru_cache(1)(datetime.isoformat),  # rows of a batch have one time
    dict: _json,
    list: _json,
}


def _update_from_arrays(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Row]
) -> None:
    values = dict(zip(("id", *columns), map(list, zip(*rows, strict=True)), strict=True))
    arrays = ", ".join(f"CAST(:{name} AS {_array_type(table, name)})" for name in values)
    changes = ", ".join(f"{name} = new.{name}" for name in columns)
    statement = text(
        f"UPDATE {table.name} SET {changes} FROM unnest({arrays}) AS new ({', '.join(values)})"
        f" WHERE {table.name}.id = new.id"
    )
    connection.execute(statement, values)


def _array_type(table: FromClause, name: str) -> str:
    return _ARRAYS[table.c[name].type.python_type]

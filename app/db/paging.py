"""Rows by page or by cursor, with totals that stay cheap."""

import base64
import binascii
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm.interfaces import ORMOption

from app.errors import Invalid
from app.extensions import db

MAX_DEPTH = 10_000
"""Rows that pages can reach, and up to which totals are exact."""
LIMIT, OFFSET = bindparam("limit", type_=Integer), bindparam("offset", type_=Integer)
"""How many rows, and after how many, in statements that are made once."""
T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of rows; `total` is exact up to MAX_DEPTH."""

    items: Sequence[T]
    page: int
    per_page: int
    total: int
    total_is_estimate: bool = False

    @property
    def pages(self) -> int:
        """How many pages can be asked for."""
        return math.ceil(min(self.total, MAX_DEPTH) / self.per_page)


@dataclass(frozen=True)
class Slice(Generic[T]):
    """Rows after a cursor; `next_cursor` is None at the end."""

    items: Sequence[T]
    per_page: int
    next_cursor: str | None


@dataclass(frozen=True)
class SortKey:
    """An order of rows: one column, either way; equal ones by id, always from the lowest."""

    name: str
    column: Any
    id: Any
    descending: bool = False

    def order_by(self) -> list[ColumnElement[Any]]:
        """The ORDER BY of a list in this order."""
        return [self.column.desc() if self.descending else self.column.asc(), self.id.asc()]

    def after(self, value: ColumnElement[Any], row_id: ColumnElement[int]) -> ColumnElement[bool]:
        """The rows that come after this one, said so that an index on the column leads to them."""
        if self.descending:
            return and_(self.column <= value, or_(self.column < value, self.id > row_id))
        return tuple_(self.column, self.id) > tuple_(value, row_id)


def refuse_too_deep(page: int, per_page: int) -> None:
    """Deep pages read everything before them: past MAX_DEPTH rows a cursor has to be used.

    Raises:
        Invalid: `use_cursor`.
    """
    if (page - 1) * per_page >= MAX_DEPTH:
        detail = f"Pages end at {MAX_DEPTH:,} rows. Use a cursor, or a narrower filter."
        raise Invalid({"page": [detail]}, code="use_cursor", detail=detail)


def fetch_page(
    query: Select[Any],
    order: Sequence[ColumnElement[Any]],
    page: int,
    per_page: int,
    options: Sequence[ORMOption] = (),
) -> Page[Any]:
    """One page of the entities that a query selects, loaded with `options`, and how many there are.

    Raises:
        Invalid: `use_cursor`, where the page lies past MAX_DEPTH.
    """
    refuse_too_deep(page, per_page)
    rows = _entities(query, keys(query, order, per_page, (page - 1) * per_page), order, options)
    total = db.session.scalar(counting(query)) or 0
    return Page(rows, page, per_page, total, total_is_estimate=total > MAX_DEPTH)


def keys(
    query: Select[Any],
    order: Sequence[ColumnElement[Any]],
    limit: int | ColumnElement[int],
    offset: int | ColumnElement[int] = 0,
) -> Subquery:
    """The ids of some rows of a query, as `id`.

    Ids are found in an index alone, so that the rows before a deep page are passed over without
    being read; whole rows are read for what is shown only.
    """
    found = query.with_only_columns(_entity(query).id, maintain_column_froms=True)
    return found.order_by(*order).limit(limit).offset(offset).subquery()


def cut(rows: Sequence[Any], key: SortKey, per_page: int) -> Slice[Any]:
    """The slice that these rows are, where one more than a slice's was read."""
    if len(rows) <= per_page:
        return Slice(rows, per_page, None)
    rows = rows[:per_page]
    return Slice(rows, per_page, encode_cursor(rows[-1], key))


def counting(query: Select[Any]) -> Select[Any]:
    """Counts a query's rows, up to one more than MAX_DEPTH."""
    # The table stays even where no condition names it.
    one = query.with_only_columns(literal(1), maintain_column_froms=True)
    return select(func.count()).select_from(one.limit(MAX_DEPTH + 1).subquery())


def _entities(
    query: Select[Any],
    found: Subquery,
    order: Sequence[ColumnElement[Any]],
    options: Sequence[ORMOption],
) -> Sequence[Any]:
    entity = _entity(query)
    rows = select(entity).join(found, found.c.id == entity.id).options(*options).order_by(*order)
    return db.session.scalars(rows).unique().all()


def _entity(query: Select[Any]) -> Any:
    return query.column_descriptions[0]["entity"]


def encode_cursor(row: Any, key: SortKey) -> str:
    """Where a list goes on after `row`: URL-safe, bound to the order."""
    value = getattr(row, key.column.key)
    if isinstance(value, datetime):
        value = value.isoformat()
    content = json.dumps([key.name, value, row.id], separators=(",", ":"))
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def decode_cursor(cursor: str, key: SortKey) -> tuple[Any, int]:
    """The sort value and id that a cursor stands for.

    Raises:
        Invalid: garbage, or a cursor of another order.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        name, value, row_id = json.loads(base64.b64decode(padded, b"-_", validate=True))
        wanted = key.column.type.python_type
        if wanted is datetime:
            value = datetime.fromisoformat(value)
            if value.tzinfo is None:
                raise ValueError("a time without a zone")
            value = value.astimezone(timezone.utc)
        if name != key.name or type(value) is not wanted or type(row_id) is not int:
            raise ValueError("another order")
        if not 0 <= row_id < 2**63 or (wanted is int and not -(2**63) <= value < 2**63):
            raise ValueError("out of range")
        if wanted is str and ("\x00" in value or len(value) > 1000):
            raise ValueError("no such text")
        if wanted is str:
            value.encode()
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error):
        raise Invalid({"cursor": ["Not a cursor of this list in this order."]}) from None
    return value, row_id

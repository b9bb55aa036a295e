"""Lists by page or by cursor. Totals are exact up to MAX_DEPTH rows, so that counting stays cheap."""

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
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.orm.interfaces import ORMOption

from app.errors import Invalid
from app.extensions import db

MAX_DEPTH = 10_000
"""The number of rows that pages can reach, and up to which totals are exact."""
LIMIT, OFFSET = bindparam("limit", type_=Integer), bindparam("offset", type_=Integer)
"""The bound values of LIMIT and OFFSET, in statements that are built once."""
T = TypeVar("T")
Order = Sequence[ColumnElement[Any]]
"""The ORDER BY of a list, by columns of any type."""


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
        """The number of pages that can be requested."""
        return math.ceil(min(self.total, MAX_DEPTH) / self.per_page)


@dataclass(frozen=True)
class Slice(Generic[T]):
    """Rows after a cursor; `next_cursor` is None at the end."""

    items: Sequence[T]
    per_page: int
    next_cursor: str | None


@dataclass(frozen=True)
class SortKey:
    """The order of a list: by one column in either direction, then by ascending id; or by id alone."""

    name: str
    column: InstrumentedAttribute[Any]
    id: InstrumentedAttribute[int]
    descending: bool = False

    def order_by(self) -> list[ColumnElement[Any]]:
        """The ORDER BY clause."""
        first = self.column.desc() if self.descending else self.column.asc()
        return [first] if self.column is self.id else [first, self.id.asc()]

    def after(self, value: ColumnElement[Any], row_id: ColumnElement[int]) -> ColumnElement[bool]:
        """The condition of the rows after this one, written so that an index on the column serves it."""
        if self.descending:
            return and_(self.column <= value, or_(self.column < value, self.id > row_id))
        return tuple_(self.column, self.id) > tuple_(value, row_id)


class NotACursor(Invalid):
    """A cursor that is garbage, or that belongs to another list or order."""

    def __init__(self) -> None:
        super().__init__({"cursor": ["This is not a cursor of this list in this order."]})


def refuse_too_deep(page: int, per_page: int) -> None:
    """Deep pages read everything before them: past MAX_DEPTH rows a cursor has to be used.

    Raises:
        Invalid: `use_cursor`.
    """
    if (page - 1) * per_page >= MAX_DEPTH:
        detail = f"Pages end at {MAX_DEPTH:,} rows. Use a cursor, or a narrower filter."
        raise Invalid({"page": [detail]}, code="use_cursor", detail=detail)


def fetch_page(
    query: Select[T],
    order: Order,
    page: int,
    per_page: int,
    options: Sequence[ORMOption] = (),
) -> Page[T]:
    """One page of the entities that a query selects, loaded with `options`, and their total.

    Raises:
        Invalid: `use_cursor`, where the page lies past MAX_DEPTH.
    """
    refuse_too_deep(page, per_page)
    rows = _entities(query, page_ids(query, order, per_page, (page - 1) * per_page), order, options)
    total = db.session.scalar(count_query(query)) or 0
    return Page(rows, page, per_page, total, total_is_estimate=total > MAX_DEPTH)


def fetch_slice(query: Select[T], key: SortKey, cursor: str, per_page: int) -> Slice[T]:
    """The entities that a query selects after a cursor; an empty one starts.

    Raises:
        Invalid: the cursor is not one of this order.
    """
    if cursor:
        value, row_id = decode_cursor(cursor, key)
        place = literal(value, key.column.type), literal(row_id, key.id.type)
        query = query.where(key.after(*place))
    rows = db.session.scalars(query.order_by(*key.order_by()).limit(per_page + 1))
    return slice_of(rows.unique().all(), key, per_page)


def page_ids(
    query: Select[Any],
    order: Order,
    limit: int | ColumnElement[int],
    offset: int | ColumnElement[int] = 0,
) -> Subquery:
    """The ids of some rows of a query, as `id`.

    An index alone gives the ids, so the rows before a deep page are skipped without being read. Whole
    rows are read for the page only.
    """
    ids = query.with_only_columns(_entity(query).id, maintain_column_froms=True)
    return ids.order_by(*order).limit(limit).offset(offset).subquery()


def slice_of(rows: Sequence[T], key: SortKey, per_page: int) -> Slice[T]:
    """The slice of these rows, of which one more than `per_page` was read."""
    if len(rows) <= per_page:
        return Slice(rows, per_page, None)
    rows = rows[:per_page]
    return Slice(rows, per_page, encode_cursor(rows[-1], key))


def count_query(query: Select[Any]) -> Select[int]:
    """A statement that counts the rows of a query, up to MAX_DEPTH + 1."""
    # The table stays even where no condition names it.
    one = query.with_only_columns(literal(1), maintain_column_froms=True)
    return select(func.count()).select_from(one.limit(MAX_DEPTH + 1).subquery())


def _entities(
    query: Select[T], ids: Subquery, order: Order, options: Sequence[ORMOption]
) -> Sequence[T]:
    entity = _entity(query)
    rows = select(entity).join(ids, ids.c.id == entity.id).options(*options).order_by(*order)
    return db.session.scalars(rows).unique().all()


def _entity(query: Select[Any]) -> Any:
    return query.column_descriptions[0]["entity"]


def encode_cursor(row: object, key: SortKey) -> str:
    """The cursor of the rows after `row` in this order, URL-safe."""
    value, row_id = getattr(row, key.column.key), getattr(row, key.id.key)
    if isinstance(value, datetime):
        value = value.isoformat()
    return encode([key.name, value, row_id])


def decode_cursor(cursor: str, key: SortKey) -> tuple[str | int | datetime, int]:
    """The value of the sort column and the id in a cursor.

    Raises:
        Invalid: garbage, or a cursor of another order.
    """
    try:
        name, value, row_id = decode(cursor)
        kind = key.column.type.python_type
        if kind is datetime:
            value = datetime.fromisoformat(value)
            if value.tzinfo is None:
                raise ValueError("a time without a zone")
            value = value.astimezone(timezone.utc)
        if name != key.name or type(value) is not kind or type(row_id) is not int:
            raise ValueError("another order")
        if not 0 <= row_id < 2**63 or (kind is int and not -(2**63) <= value < 2**63):
            raise ValueError("out of range")
        if kind is str and ("\x00" in value or len(value) > 1000):
            raise ValueError("no such text")
        if kind is str:
            value.encode()
    except (ValueError, TypeError, RecursionError, OverflowError, binascii.Error):
        raise NotACursor() from None
    return value, row_id


def key_of(cursor: str, keys: Sequence[SortKey]) -> SortKey | None:
    """Which of these orders a cursor names; None for another order, and for garbage."""
    try:
        name = decode(cursor)[0]
    except (ValueError, TypeError, LookupError, RecursionError, binascii.Error):
        return None
    return next((key for key in keys if key.name == name), None)


def encode(content: Sequence[object]) -> str:
    """A cursor with this content, URL-safe."""
    text = json.dumps(content, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> Any:
    """The content of a cursor, which anybody may have made up; raises ValueError, RecursionError."""
    padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
    return json.loads(base64.b64decode(padded, b"-_", validate=True))

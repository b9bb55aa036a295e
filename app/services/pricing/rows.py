"""Rows that staff set, by their ids."""

from typing import Any, TypeVar

from sqlalchemy import select

from app.db.base import Base
from app.errors import NotFound
from app.extensions import db

T = TypeVar("T", bound=Base)


def get_row(model: type[T], row_id: int, kind: str, *options: Any) -> T:
    """The row with this id.

    Raises:
        NotFound: there is none.
    """
    query = select(model).where(model.id == row_id).options(*options)
    return _require(db.session.scalar(query), kind)


def lock_row(model: type[T], row_id: int, kind: str, *options: Any) -> T:
    """The row with this id as it is now, locked until the commit.

    Raises:
        NotFound: there is none.
    """
    query = select(model).where(model.id == row_id).options(*options).with_for_update(of=model)
    return _require(db.session.scalar(query.execution_options(populate_existing=True)), kind)


def _require(row: T | None, kind: str) -> T:
    if row is None:
        raise NotFound(kind)
    return row

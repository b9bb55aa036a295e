"""Rows that are of no more use: some of them go along with new ones, so none pile up."""

from sqlalchemy import ColumnElement, delete, select

from app.db.base import Base
from app.extensions import db

AT_ONCE = 100
"""How many rows go at once."""
TURN = 16
"""Every how many new rows it is time to sweep, where they come often; far less than AT_ONCE."""


def is_time(new_id: int) -> bool:
    """Whether a new row with this id is one of those that take old ones along."""
    return new_id % TURN == 0


def sweep(table: type[Base], forgotten: ColumnElement[bool]) -> None:
    """Delete some of the rows that are forgotten; those that somebody holds stay for later."""
    rows = select(table.id).where(forgotten).limit(AT_ONCE).with_for_update(skip_locked=True)
    # A query of its own, done once: joined to the rows it would be free to lock others each time.
    old = rows.cte("old")
    db.session.execute(
        delete(table).where(table.id.in_(select(old.c.id))),
        execution_options={"synchronize_session": False},
    )

"""Deletes rows that have expired a few at a time, along with new ones, so that none pile up."""

from sqlalchemy import ColumnElement, delete, select

from app.db.base import Base
from app.extensions import db

BATCH = 100
"""How many rows are deleted at a time."""
INTERVAL = 16
"""A batch is deleted for every INTERVAL new rows: well below BATCH, so that rows go faster than they
come."""


def is_due(new_id: int) -> bool:
    """Whether a batch is due with the new row of this id."""
    return new_id % INTERVAL == 0


def delete_batch(table: type[Base], is_expired: ColumnElement[bool]) -> None:
    """Delete a batch of the expired rows, but none that another transaction has locked."""
    rows = select(table.id).where(is_expired).limit(BATCH).with_for_update(skip_locked=True)
    # A CTE runs once; a subquery could run, and lock other rows, for each row of the table.
    expired = rows.cte("expired")
    db.session.execute(
        delete(table).where(table.id.in_(select(expired.c.id))),
        execution_options={"synchronize_session": False},
    )

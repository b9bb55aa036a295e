"""Rows that are of no more use: a few of them go along with every new one, so none pile up."""

from sqlalchemy import ColumnElement, delete, select

from app.extensions import db
from app.models import Base

AT_ONCE = 100
"""How many rows a new one takes along."""


def sweep(table: type[Base], forgotten: ColumnElement[bool]) -> None:
    """Delete some of the rows that are forgotten; those that somebody holds stay for later."""
    old = select(table.id).where(forgotten).limit(AT_ONCE).with_for_update(skip_locked=True)
    db.session.execute(
        delete(table)
        .where(table.id.in_(db.session.scalars(old).all()))
        .execution_options(synchronize_session=False)
    )

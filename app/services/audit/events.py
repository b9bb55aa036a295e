"""What the lists of the audit trail and of the security log have in common."""

from typing import TypeVar

from sqlalchemy import select

from app.db.paging import Page, fetch_page
from app.models import AuditEvent, SecurityEvent

E = TypeVar("E", AuditEvent, SecurityEvent)


def newest_first(table: type[E], page: int, per_page: int, **columns: object) -> Page[E]:
    """One page of the events whose columns have these values; None is no condition.

    Raises:
        Invalid: `use_cursor`, where the page lies past MAX_DEPTH.
    """
    conditions = {name: value for name, value in columns.items() if value is not None}
    query = select(table).filter_by(**conditions)
    return fetch_page(query, [table.id.desc()], page, per_page)

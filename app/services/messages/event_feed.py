"""The feed of events: what happened in the shop, in an order that readers can follow.

Problem: ids are given out before transactions commit. A reader who has seen 17 would never come back
for 16, which commits a moment later.

Solution: triggers store an event without a number. `number` numbers rows that are committed, and holds
a lock until its own commit, so numberings happen one after the other: whoever sees a number sees all
smaller ones. What one transaction stored, and what happened to one subject, keeps its order, because
its ids rise. `number` passes the rows on to SUBSCRIBERS in the same transaction, so mail and webhooks
get each event exactly once.

The worker numbers twice a second, and each reader of the feed before it reads.

Simpler but wrong: to read by id (loses what commits late), or to hold events back until they are some
seconds old (a transaction may take longer).
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, select, update

from app.db.moments import seconds_from_now
from app.db.postgresql import is_postgresql
from app.domain.money import to_text
from app.extensions import db
from app.models import Event

BATCH = 100
"""Events that one transaction numbers."""
STORED_DAYS = 90
"""How long events stay at least."""
_LOCK = 20261201_0051
_COLUMNS = (Event.seq, Event.type, Event.at, Event.subject_kind, Event.subject_id, Event.data)


class EventRow(NamedTuple):
    """An event with its number."""

    seq: int
    type: str
    at: datetime
    subject_kind: str
    """Of `domain.event_types.SUBJECT_KINDS`."""
    subject_id: int
    """The id of its row."""
    data: dict[str, Any]
    """Amounts are minor units of the currency that stands beside them."""

    @property
    def public_data(self) -> dict[str, Any]:
        """The data as clients see it: amounts are decimal strings."""
        if "total" not in self.data:
            return self.data
        return {**self.data, "total": to_text(self.data["total"], self.data["currency"])}


Subscriber = Callable[[Sequence[EventRow]], None]


def is_any_unnumbered() -> bool:
    """Whether `number` would number anything. Reads only, so it takes no turn among writers."""
    return bool(db.session.scalar(select(exists().where(Event.seq.is_(None)))))


def number(subscribers: Sequence[Subscriber], limit: int = BATCH, waits: bool = True) -> int:
    """Number up to `limit` events, oldest first, and pass them to `subscribers`; how many there were.

    With `waits=False` there are none while another transaction numbers.
    """
    if not _take_turn(waits):
        return 0
    events = _number(Event.seq.is_(None), limit)
    for subscriber in subscribers if events else ():
        subscriber(events)
    return len(events)


def number_own(after_id: int) -> None:
    """Number what this transaction has stored, and pass it to nobody: what a seed makes is no news.

    Args:
        after_id: `highest_id` as of the begin of the transaction.
    """
    own = and_(Event.seq.is_(None), Event.id > after_id)
    if is_postgresql():  # where others may commit meanwhile
        own = and_(own, literal_column("events.xmin::text::bigint") == func.txid_current() % 2**32)
    _take_turn()
    _number(own, None)


def highest_id() -> int:
    """The id of the event that was stored last; 0 if there is none."""
    return db.session.scalar(select(func.max(Event.id))) or 0


def _take_turn(waits: bool = True) -> bool:
    """Lock out other numberings until the commit; False if another has the lock and this one does not wait.

    A statement of its own: the next one begins after the lock is held, and sees what is committed.
    SQLite has one writer at a time.
    """
    if not is_postgresql():
        return True
    if waits:
        db.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        return True
    return bool(db.session.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))))


def _number(condition: ColumnElement[bool], limit: int | None) -> Sequence[EventRow]:
    batch = (
        select(Event.id, func.row_number().over(order_by=Event.id).label("place"))
        .where(condition)
        .order_by(Event.id)
        .limit(limit)
        .cte("batch")
    )
    highest = select(func.coalesce(func.max(Event.seq), 0)).scalar_subquery()
    rows = db.session.execute(
        update(Event)
        .where(Event.id == batch.c.id)
        .values(seq=highest + batch.c.place)
        .returning(*_COLUMNS)
        .execution_options(synchronize_session=False)
    )
    return sorted(map(EventRow._make, rows), key=lambda event: event.seq)


def list_events(after: int, limit: int, event_type: str | None = None) -> Sequence[EventRow]:
    """The first events with numbers above `after`, of one type or of all."""
    query = select(*_COLUMNS).where(Event.seq > after).order_by(Event.seq).limit(limit)
    if event_type is not None:
        query = query.where(Event.type == event_type)
    return [EventRow._make(row) for row in db.session.execute(query)]


def expired(days: int = STORED_DAYS) -> ColumnElement[bool]:
    """The condition of events that may be removed. The newest stays, because numbers go on from it."""
    newest = select(func.max(Event.seq)).scalar_subquery()
    past = seconds_from_now(-timedelta(days=days).total_seconds())
    return and_(Event.at < past, Event.seq < newest)

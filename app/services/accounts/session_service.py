"""Sessions: a sign-in begins one, a refresh extends it, signing out or staff end it."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import (
    ColumnElement,
    Select,
    bindparam,
    case,
    exists,
    false,
    func,
    literal_column,
    select,
    update,
)

from app.db import cleanup
from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.db.prepared import insert_values, prepared, run
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.errors import NotFound
from app.extensions import db
from app.models import SecondFactor, Session, User
from app.services.accounts import throttle_service

STORED_AFTER_EXPIRY = timedelta(days=1)
"""How long an expired session is stored."""
USE_INTERVAL = timedelta(minutes=15)
"""How exactly the time of a session's last use is stored, so that few requests write it."""
NEWEST_FIRST = SortKey("newest sessions", Session.id, Session.id, descending=True)


class SignedIn(NamedTuple):
    """A caller with a session."""

    actor: Actor
    last_used_at: datetime
    """When the session was used last, as far as it is stored."""
    has_second_factor: bool
    """Whether the account has a second factor; only read for staff."""

    @property
    def is_use_due(self) -> bool:
        """Whether `note_use` is due."""
        return self.last_used_at < utc_now() - USE_INTERVAL


class SessionView(NamedTuple):
    """A session as its user sees it."""

    id: int
    created_at: datetime
    last_used_at: datetime
    user_agent: str
    current: bool
    """Whether it is the session of the caller."""


def find_caller(session_id: int) -> SignedIn | None:
    """The user of this session; None if it has ended, or the account may not sign in."""
    row = run(_SIGNED_IN, session_id=session_id, now=utc_now()).one_or_none()
    if row is None:
        return None
    actor = Actor(role=row.role, user_id=row.id, session_id=session_id)
    return SignedIn(actor, row.last_used_at, bool(row.has_second_factor))


_last_use = func.coalesce(Session.last_used_at, Session.created_at)
_has_second_factor = exists().where(
    SecondFactor.user_id == User.id, SecondFactor.confirmed_at.is_not(None)
)
# Runs with every request of somebody who is signed in.
_SIGNED_IN = prepared(
    select(
        User.id,
        User.role,
        _last_use.label("last_used_at"),
        case((User.role == literal_column("'admin'"), _has_second_factor), else_=false()).label(
            "has_second_factor"
        ),
    )
    .join(Session, Session.user_id == User.id)
    .where(
        Session.id == bindparam("session_id"),
        Session.ended_at.is_(None),
        Session.expires_at > bindparam("now"),
        User.is_active,
        User.deleted_at.is_(None),
    )
)
_PLACES = [f"place{number}" for number in range(throttle_service.PLACES)]
IS_KNOWN_PLACE = exists().where(
    Session.user_id == User.id, Session.place.in_([bindparam(name) for name in _PLACES])
)
"""Whether a user has a stored session that began at one of `place_values`, or registered there."""


def place_values(places: Sequence[str]) -> dict[str, str | None]:
    """The bound values of `IS_KNOWN_PLACE`; all are None for an unknown network."""
    return dict(itertools.zip_longest(_PLACES, places))


def is_known_place(user_id: int, places: Sequence[str]) -> bool:
    """Whether a user has a stored session that began at one of the places."""
    sessions = select(Session.id).where(Session.user_id == user_id, Session.place.in_(places))
    return bool(places) and db.session.scalar(sessions.limit(1)) is not None


_COLUMNS = (
    "user_id", "generation", "created_at", "expires_at", "place", "user_agent", "last_used_at"
)  # fmt: skip
_BEGIN = prepared(insert_values(Session, *_COLUMNS).returning(Session.id))


def begin(
    user_id: int, lifetime: timedelta, place: str | None = None, user_agent: str = ""
) -> Session:
    """Open a session for a user.

    `place` is the keyed hash of the client's network (`throttle_service.place_key`), `user_agent`
    what `user_agents.clean` returns. The session that is returned is a copy: changing it changes
    nothing.
    """
    now = utc_now()
    columns: dict[str, object] = {"user_id": user_id, "place": place, "generation": 0}
    columns |= {"created_at": now, "expires_at": now + lifetime}
    columns |= {"user_agent": user_agent, "last_used_at": now}
    new_id = run(_BEGIN, columns).scalar_one()
    if cleanup.is_due(new_id):
        cleanup.delete_batch(Session, Session.expires_at < now - STORED_AFTER_EXPIRY)
    return Session(id=new_id, **columns)


def note_place(user_id: int, lifetime: timedelta, place: str | None) -> None:
    """Make a place known to a user without a sign-in there, by a session that has ended already."""
    now = utc_now()
    db.session.add(Session(user_id=user_id, expires_at=now + lifetime, place=place, ended_at=now))
    db.session.flush()


def advance(session_id: int, generation: int, lifetime: timedelta) -> Session | None:
    """Move a session to its next generation and a new lifetime.

    None where the session has ended or is of another generation. The conditions stand in the UPDATE
    itself, so of several callers at the same time one succeeds.
    """
    now = utc_now()
    usable = select(User.id).where(User.is_active, User.deleted_at.is_(None))
    return db.session.scalars(
        update(Session)
        .where(
            Session.id == session_id,
            Session.generation == generation,
            Session.ended_at.is_(None),
            Session.expires_at > now,
            Session.user_id.in_(usable),
        )
        .values(generation=generation + 1, expires_at=now + lifetime, last_used_at=now)
        .returning(Session)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()


def note_use(session_id: int) -> None:
    """Store that a session is in use. Of several requests at the same time, one writes."""
    now = utc_now()
    is_due = _last_use < now - USE_INTERVAL
    db.session.execute(
        update(Session).where(Session.id == session_id, is_due).values(last_used_at=now),
        execution_options={"synchronize_session": False},
    )


def list_sessions(actor: Actor, page: int, per_page: int) -> Page[SessionView]:
    """The caller's sessions that have not ended, the newest first."""
    part = fetch_page(_own(actor), NEWEST_FIRST.order_by(), page, per_page)
    return Page([_view(row, actor) for row in part.items], page, per_page, part.total)


def slice_of_sessions(actor: Actor, cursor: str, per_page: int) -> Slice[SessionView]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    part = fetch_slice(_own(actor), NEWEST_FIRST, cursor, per_page)
    return Slice([_view(row, actor) for row in part.items], per_page, part.next_cursor)


def end_own(actor: Actor, session_id: int) -> None:
    """End one of the caller's sessions.

    Raises:
        NotFound: there is none, it has ended, or it is somebody else's.
    """
    query = _own(actor).where(Session.id == session_id).with_for_update()
    row = db.session.scalar(query) if session_id < 2**63 else None
    if row is None:
        raise NotFound("session")
    end(row.id)


def _own(actor: Actor) -> Select[Session]:
    return select(Session).where(
        Session.user_id == actor.user_id,
        Session.ended_at.is_(None),
        Session.expires_at > utc_now(),
    )


def _view(row: Session, actor: Actor) -> SessionView:
    return SessionView(
        id=row.id,
        created_at=row.created_at,
        last_used_at=row.last_used_at or row.created_at,
        user_agent=row.user_agent or "",
        current=row.id == actor.session_id,
    )


def end(session_id: int) -> None:
    """End one session: its access and refresh tokens are refused from then on."""
    _end_where(Session.id == session_id)


def end_all(user_id: int, except_id: int | None = None) -> None:
    """End every session of a user, or every other one."""
    _end_where(*_sessions(user_id, except_id))


def erase_places(user_id: int, except_id: int | None = None) -> None:
    """Erase the networks from which, and the programs by which, a user signed in."""
    no_places = {"place": None, "user_agent": None}
    sessions = _sessions(user_id, except_id)
    db.session.execute(update(Session).where(*sessions).values(no_places))


def _sessions(user_id: int, except_id: int | None) -> list[ColumnElement[bool]]:
    others = Session.id != except_id if except_id is not None else Session.id.is_not(None)
    return [Session.user_id == user_id, others]


def _end_where(*conditions: ColumnElement[bool]) -> None:
    db.session.execute(
        update(Session).where(*conditions, Session.ended_at.is_(None)).values(ended_at=utc_now())
    )

"""Sign-in sessions: begun by a login, moved on by refreshes, ended by logout or by staff."""

import itertools
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, Executable, Select, bindparam, exists, insert, select, update

from app.db import cleanup
from app.db.prepared import prepared, run
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.extensions import db
from app.models import Session, User
from app.services.accounts import throttle_service

KEPT_AFTER = timedelta(days=1)
"""How long an expired session stays, to be looked at."""


def find_actor(session_id: int) -> Actor | None:
    """Who is signed in by this session, if it goes on and the account may be used."""
    if not 0 < session_id < 2**63:
        return None
    row = run(_SIGNED_IN, session_id=session_id, now=utc_now()).one_or_none()
    return Actor(role=row.role, user_id=row.id, session_id=session_id) if row else None


# Asked with every request of somebody who is signed in.
_SIGNED_IN = prepared(
    select(User.id, User.role)
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
CAME_FROM = exists().where(
    Session.user_id == User.id, Session.place.in_([bindparam(name) for name in _PLACES])
)
"""Whether a user has or had a session begun at one of `place_values`, or registered there, for as
long as sessions are kept."""


def place_values(places: Sequence[str]) -> dict[str, str | None]:
    """What `CAME_FROM` asks for: the names of one place, or none where it is not known."""
    return dict(itertools.zip_longest(_PLACES, places))


def beginning(user: Select[Any]) -> Executable:
    """A statement for `begin_by`: a session for the user whose id a query finds, if it does."""
    columns = ("generation", "created_at", "expires_at", "place")
    given = (bindparam(name, type_=getattr(Session, name).type) for name in columns)
    beginning = insert(Session).from_select(["user_id", *columns], user.add_columns(*given))
    return prepared(beginning.returning(Session.id))


_BEGIN = beginning(select(bindparam("user_id", type_=BigInteger())))


def begin(user_id: int, lifetime: timedelta, place: str | None = None) -> Session:
    """Open a session for a user.

    `place` is how the database knows the network of whoever signs in. The session that is
    returned is a copy: changing it changes nothing.
    """
    facts = _facts(user_id, lifetime, place)
    return _begun(run(_BEGIN, facts).scalar_one(), facts)


def begin_by(
    statement: Executable, user_id: int, lifetime: timedelta, place: str | None, **values: Any
) -> Session | None:
    """The same by a statement that asks something first; None where it finds no user."""
    facts = _facts(user_id, lifetime, place)
    new_id = run(statement, {**facts, **values}).scalar()
    return None if new_id is None else _begun(new_id, facts)


def _facts(user_id: int, lifetime: timedelta, place: str | None) -> dict[str, Any]:
    now = utc_now()
    facts = {"user_id": user_id, "place": place, "generation": 0}
    return {**facts, "created_at": now, "expires_at": now + lifetime}


def _begun(new_id: int, facts: dict[str, Any]) -> Session:
    if cleanup.is_time(new_id):
        cleanup.sweep(Session, Session.expires_at < utc_now() - KEPT_AFTER)
    return Session(id=new_id, **facts)


def note_place(user_id: int, lifetime: timedelta, place: str | None) -> None:
    """Know a place without a sign-in there: a session that has ended already stands for it."""
    now = utc_now()
    db.session.add(Session(user_id=user_id, expires_at=now + lifetime, place=place, ended_at=now))
    db.session.flush()


def advance(session_id: int, generation: int, lifetime: timedelta) -> Session | None:
    """Move a session on to its next generation and a new lifetime.

    None where the session has ended, or is of another generation already: of those who come at the
    same time, one guarded statement lets one through.
    """
    if not (0 < session_id < 2**63 and 0 <= generation < 2**63 - 1):
        return None
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
        .values(generation=generation + 1, expires_at=now + lifetime)
        .returning(Session)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).one_or_none()


def end(session_id: int) -> None:
    """End one session: its access and refresh tokens are refused from now on."""
    _end_where(Session.id == session_id)


def end_all(user_id: int, except_id: int | None = None) -> None:
    """End every session of a user, or every other one."""
    others = Session.id != except_id if except_id is not None else Session.id.is_not(None)
    _end_where(Session.user_id == user_id, others)


def forget_places(user_id: int) -> None:
    """Erase from where somebody signed in."""
    db.session.execute(update(Session).where(Session.user_id == user_id).values(place=None))


def _end_where(*conditions: object) -> None:
    db.session.execute(
        update(Session).where(*conditions, Session.ended_at.is_(None)).values(ended_at=utc_now())  # type: ignore[arg-type]
    )

"""Sign-in sessions: begun by a login, moved on by refreshes, ended by logout or by staff."""

from datetime import timedelta

from sqlalchemy import bindparam, delete, exists, insert, select, update

from app.domain.actor import Actor
from app.domain.clock import utc_now
from app.extensions import db
from app.models import Session, User
from app.plans import kept
from app.services.prepared import run

KEPT_AFTER = timedelta(days=1)
"""How long an expired session stays, to be looked at."""


def find_actor(session_id: int) -> Actor | None:
    """Who is signed in by this session, if it goes on and the account may be used."""
    if not 0 < session_id < 2**63:
        return None
    row = run(_SIGNED_IN, session_id=session_id, now=utc_now()).one_or_none()
    return Actor(role=row.role, user_id=row.id, session_id=session_id) if row else None


# Asked with every request of somebody who is signed in.
_SIGNED_IN = kept(
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
CAME_FROM = exists().where(Session.user_id == User.id, Session.place == bindparam("place"))
"""Whether a user has or had a session begun at this place, or registered there, for as long as
sessions are kept; at no place that is not known."""
_MAKE_ROOM = delete(Session).where(
    Session.user_id == bindparam("whose"), Session.expires_at < bindparam("before")
)
_BEGIN = insert(Session).returning(Session.id)


def begin(user_id: int, lifetime: timedelta, place: str | None = None) -> Session:
    """Open a session for a user; those that expired long since make room.

    `place` is how the database knows the network of whoever signs in. The session that is
    returned is a copy: changing it changes nothing.
    """
    now = utc_now()
    run(_MAKE_ROOM, whose=user_id, before=now - KEPT_AFTER)
    facts = {"user_id": user_id, "expires_at": now + lifetime, "place": place, "generation": 0}
    return Session(id=run(_BEGIN, facts).scalar_one(), **facts)


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
    kept = Session.id != except_id if except_id is not None else Session.id.is_not(None)
    _end_where(Session.user_id == user_id, kept)


def forget_places(user_id: int) -> None:
    """Erase from where somebody signed in."""
    db.session.execute(update(Session).where(Session.user_id == user_id).values(place=None))


def _end_where(*conditions: object) -> None:
    db.session.execute(
        update(Session).where(*conditions, Session.ended_at.is_(None)).values(ended_at=utc_now())  # type: ignore[arg-type]
    )

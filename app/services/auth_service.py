"""Signing in and out: passwords, and the sessions that they open.

A password is checked in two steps. First, outside of any transaction, the slow work: `try_…` reads
the hash and compares. Then, inside one, `settle` records the outcome in the order of commits, so
that guessing in parallel gains nothing over guessing in turn. A sign-in that is right while no
failure is on record needs none of that.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, bindparam, false, select

from app import metrics
from app.domain import emails
from app.domain.actor import Actor
from app.errors import Invalid, ShopError, TooManyAttempts, Unauthenticated
from app.extensions import db
from app.models import Session, User
from app.plans import kept
from app.services import (
    audit_trail,
    cart_service,
    password_hashing,
    session_service,
    throttle_service,
    user_service,
)
from app.services.prepared import run
from app.services.session_service import CAME_FROM
from app.services.throttle_service import Guard
from app.unit_of_work import after_commit

log = logging.getLogger(__name__)

Account = tuple[int, str, bool]
"""Id, password hash, and whether it was signed in to from this place before."""


@dataclass(frozen=True)
class Attempt:
    """A password that somebody gave: for which account, against which hash, and whether it fits."""

    guards: tuple[Guard, ...]
    user_id: int | None
    password_hash: str
    fits: bool
    place: str | None = None
    """How the database knows the network that the attempt came from."""


def register(lifetime: timedelta, client: str | None, **facts: str) -> User:
    """Make an account. Where it is made it is known from then on, for as long as a session lives:
    whoever guesses from the same network does not keep its new owner from the first sign-in.

    Raises:
        Conflict: `email_taken`.
    """
    user = user_service.add(**facts)
    session_service.note_place(user.id, lifetime, throttle_service.place_key(client))
    return user


def try_credentials(email: str, password: str, client: str | None = None) -> Attempt:
    """Compare a password with that of an address; the same work whether or not it has an account.

    `client` is the network address that the attempt comes from.

    Raises:
        TooManyAttempts: the address is locked, for this client or for all that it does not know.
        Busy: too many passwords are hashed at present.
    """
    password_hashing.refuse_if_full()
    key, place = emails.key(email), throttle_service.place_key(client)
    account = _find_by_email(email, key, place)
    guards = throttle_service.login_guards(key, place, is_known=bool(account and account[2]))
    return _try(guards, account, password, place)


def try_own_password(actor: Actor, password: str) -> Attempt:
    """Compare a password with the caller's own, as before changes that a thief would like to make.

    Raises:
        TooManyAttempts: too many tries with this session.
        Busy: too many passwords are hashed at present.
    """
    guards = throttle_service.own_guards(actor.user_id or 0, actor.session_id)
    return _try(guards, _find(_BY_ID, user_id=actor.user_id), password)


def settle(attempt: Attempt, refusal: ShopError) -> User | ShopError:
    """Record how an attempt ended: the account, locked until the commit, or why not.

    A refusal is returned, not raised: it leaves a trace that has to be committed.
    """
    taken = throttle_service.take(attempt.guards)
    locked = throttle_service.refusal_of(taken)
    if locked:
        return locked  # whether or not the password fits
    user = _still_fits(attempt)
    if user is None:
        throttle_service.record_failure(taken)
        return refusal
    throttle_service.record_success(taken)
    return user


def sign_in(
    attempt: Attempt, lifetime: timedelta, cart_token: str | None = None
) -> Session | ShopError:
    """Open a session for whoever gave the right password; their guest cart comes along.

    A refusal is returned, so that it is counted: `invalid_credentials` or `too_many_attempts`.
    """
    session = _begin_at_once(attempt, lifetime) or _begin_counted(attempt, lifetime)
    if not isinstance(session, TooManyAttempts):  # then no password is looked at
        after_commit(lambda: metrics.password_tried(fits=isinstance(session, Session)))
    if cart_token and isinstance(session, Session):
        cart_service.merge_guest_cart(cart_token, session.user_id)
    return session


def refresh(session_id: int, generation: int, lifetime: timedelta) -> Session | ShopError:
    """Spend a refresh token of this generation; of parallel uses one wins.

    A spent one ends its whole family, since one of its two users is a thief (RFC 9700, section
    4.14.2). That refusal is returned, so that the end is committed.
    """
    session = session_service.advance(session_id, generation, lifetime)
    if session is None:
        session_service.end(session_id)
        log.warning("A refresh token that is spent or ended was used; session %s", session_id)
        return Unauthenticated("invalid_token", "The token is not valid, or no longer.")
    return session


def change_password(actor: Actor, attempt: Attempt, password_hash: str) -> User | ShopError:
    """Store a new password's hash; all other sessions of the caller end.

    A refusal of the current password is returned, so that it is counted.
    """
    user = settle(attempt, Invalid({"current_password": ["This is not your password."]}))
    if isinstance(user, ShopError):
        return user
    user.password_hash = password_hash
    session_service.end_all(user.id, except_id=actor.session_id)
    return user


def close_account(actor: Actor, attempt: Attempt) -> User | ShopError:
    """Delete the caller's account; a tombstone without personal data stays for its orders' sake.

    A refusal of the password is returned, so that it is counted.

    Raises:
        Conflict: `last_admin`.
    """
    if actor.is_admin:
        user_service.lock_admins()  # before one's own row: two admins who leave take turns
    user = settle(attempt, Invalid({"password": ["This is not your password."]}))
    if isinstance(user, ShopError):
        return user
    if user.role == "admin":
        user_service.refuse_last_admin(user, user_service.lock_admins())
        # Customers who leave are nobody's business; that staff are fewer is.
        audit_trail.record(actor, "user.deleted", user.id, user_service.standing(user))
    user_service.bury(user)
    session_service.forget_places(user.id)
    return user


def _begin_at_once(attempt: Attempt, lifetime: timedelta) -> Session | None:
    """A session for a password that fits where no failure is on record, as mostly.

    Whoever fails at the same time counts as having come later. So of guesses that are all under way
    before the first failure is recorded, the right one gets in, however many there are: once, since
    from then on each is counted before it is judged.
    """
    if attempt.user_id is None or not attempt.fits:
        return None
    return session_service.begin_by(
        _BEGIN_UNLESS_COUNTED,
        attempt.user_id,
        lifetime,
        attempt.place,
        password_hash=attempt.password_hash,
        **throttle_service.key_values(attempt.guards),
    )


def _begin_counted(attempt: Attempt, lifetime: timedelta) -> Session | ShopError:
    refusal = Unauthenticated("invalid_credentials", "The email or the password is wrong.")
    user = settle(attempt, refusal)
    if isinstance(user, ShopError):
        return user
    return session_service.begin(user.id, lifetime, attempt.place)


_ACCOUNTS = select(User.id, User.password_hash).where(User.deleted_at.is_(None))
_BY_EMAIL = kept(
    _ACCOUNTS.add_columns(CAME_FROM, User.email).where(
        User.email_key.in_([bindparam("email"), bindparam("former")])
    )
)
_BY_ID = kept(_ACCOUNTS.add_columns(false()).where(User.id == bindparam("user_id")))


def _find_by_email(email: str, key: str, place: str | None) -> Account | None:
    """The account of an address, which may still be stored under a key of earlier releases."""
    former = key if key.isascii() and email.isascii() else emails.former_key(email)
    rows: Any = run(_BY_EMAIL, {"email": key, "former": former, "place": place})
    for row in rows:
        if row[3] == email or emails.key(row[3]) == key:
            return row[0], row[1], bool(row[2])
    return None


def _find(query: Select[Any], **values: Any) -> Account | None:
    row: Any = run(query, values).one_or_none()
    return row and (row[0], row[1], bool(row[2]))


def _try(
    guards: tuple[Guard, ...], account: Account | None, password: str, place: str | None = None
) -> Attempt:
    throttle_service.refuse_locked(guards)
    user_id, password_hash, _known = account or (None, None, False)
    fits = password_hashing.matches(password_hash, password)
    return Attempt(guards, user_id, password_hash or "", fits, place)


def _still_fits(attempt: Attempt) -> User | None:
    if attempt.user_id is None or not attempt.fits:
        return None
    values = {"user_id": attempt.user_id, "password_hash": attempt.password_hash}
    user: User | None = db.session.scalar(_STILL_FITS, values)
    return user


_FITS = and_(
    User.id == bindparam("user_id"),
    User.password_hash == bindparam("password_hash"),
    User.is_active,
    User.deleted_at.is_(None),
)
_STILL_FITS = (
    select(User)
    .where(_FITS)
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
_BEGIN_UNLESS_COUNTED = session_service.beginning(
    select(User.id)
    .where(_FITS, throttle_service.NOT_COUNTED)
    .with_for_update(key_share=True, of=User)
)

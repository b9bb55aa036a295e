"""Signing in and out: passwords, and the sessions that they open.

A password is checked in two steps. First, outside of any transaction, the slow work: `try_…` reads
the hash and compares. Then, inside one, `settle` records the outcome in the order of commits, so
that guessing in parallel gains nothing over guessing in turn. A sign-in that is right while no
failure is on record needs none of that.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import Select, and_, bindparam, false, func, or_, select, update

from app.db.prepared import prepared, run
from app.db.unit_of_work import after_commit
from app.domain.people import devices, emails, passwords
from app.domain.people.actor import Actor
from app.domain.people.guessing import Guards
from app.errors import Busy, Invalid, ShopError, TooManyAttempts, Unauthenticated
from app.extensions import db
from app.keyed_hashes import keyed_hashes
from app.models import Session, User
from app.observability import metrics
from app.services import user_service
from app.services.accounts import password_hashing, session_service, throttle_service
from app.services.accounts.session_service import CAME_FROM
from app.services.audit import security_log, trail

DEVICE = "device"
"""What the signatures of device tokens are for."""
log = logging.getLogger(__name__)


class Account(NamedTuple):
    """What a check of a password has to know of an account."""

    user_id: int
    password_hash: str
    password_version: int
    is_known: bool
    """Whether it was signed in to from this place before."""


@dataclass(frozen=True)
class Attempt:
    """A password that somebody gave: for which account, against which hash, and whether it fits."""

    guards: Guards
    account: Account | None
    fits: bool
    place: str | None = None
    """How the database knows the network that the attempt came from."""
    client: str | None = None
    """The network address that the attempt comes from."""
    new_hash: str | None = None
    """A hash of the same password at the present cost, where the stored one has a lower cost."""

    def mark_device(self, device: str) -> str:
        """The tokens for the device to keep from which the right password was given."""
        account = self.account
        return mark_device(device, account.user_id, account.password_version) if account else device


def register(lifetime: timedelta, client: str | None, **facts: str) -> User:
    """Make an account. Where it is made it is known from then on, for as long as a session lives:
    whoever guesses from the same network does not keep its new owner from the first sign-in.

    Raises:
        Conflict: `email_taken`.
    """
    user = user_service.add(**facts)
    session_service.note_place(user.id, lifetime, throttle_service.place_key(client))
    security_log.record(security_log.REGISTERED, user.id, client)
    return user


def try_credentials(
    email: str, password: str, client: str | None = None, device: str = ""
) -> Attempt:
    """Compare a password with that of an address; the same work whether or not it has an account.

    Args:
        client: the network address that the attempt comes from.
        device: the device tokens that were sent along.

    Raises:
        TooManyAttempts: the address is locked for this client.
        Busy: too many passwords are hashed at present.
    """
    password_hashing.refuse_if_full()
    key, places = emails.key(email), throttle_service.place_keys(client)
    account = _find_by_email(email, key, places)
    is_known = bool(account and account.is_known)
    guards = _device_guards(key, account, device)
    guards = guards or throttle_service.login_guards(key, client, is_known)
    attempt = _try(guards, account, password, places[0] if places else None)
    attempt = replace(attempt, client=client)
    if account and attempt.fits and password_hashing.is_outdated(account.password_hash):
        with suppress(Busy):  # then the next sign-in replaces it
            return replace(attempt, new_hash=password_hashing.hash_password(password))
    return attempt


def _device_guards(email_key: str, account: Account | None, device: str) -> Guards | None:
    """The guards of a device that carries the account's token; None where it carries none.

    Also where the token was used for guessing: whoever has it counts like anybody without one.
    """
    token = _find_token(account, device) if account else None
    if token is None:
        return None
    guards = throttle_service.device_guards(email_key, token)
    return None if throttle_service.find_lock(guards) else guards


def _find_token(account: Account, device: str) -> str | None:
    sign = partial(keyed_hashes, DEVICE)
    return devices.find_token(device, sign, account.user_id, account.password_version)


def mark_device(device: str, user_id: int, password_version: int) -> str:
    """The tokens for a device to keep, on which this user's password was just given.

    `device` are the tokens that it sent. One of this user's is replaced, so that a copy of the old
    one and the new one are counted apart.
    """
    sign = partial(keyed_hashes, DEVICE)
    old = devices.find_token(device, sign, user_id, password_version)
    return devices.add_token(device, devices.new_token(sign, user_id, password_version), old)


def try_own_password(actor: Actor, password: str) -> Attempt:
    """Compare a password with the caller's own, as before changes that a thief would like to make.

    Raises:
        TooManyAttempts: too many tries with this session.
        Busy: too many passwords are hashed at present.
    """
    guards = throttle_service.own_guards(actor.user_id or 0, actor.session_id)
    return _try(guards, _find(_BY_ID, user_id=actor.user_id), password)


def refuse_weak_password(actor: Actor, password: str, store_name: str) -> None:
    """Refuse a new password of the caller's that consists of what an attacker knows.

    Raises:
        Invalid: on `new_password`.
    """
    user = user_service.get_user(actor.user_id or 0)
    words = [store_name, user.email or "", user.first_name, user.last_name]
    weakness = passwords.weakness(password, words)
    if weakness:
        raise Invalid({"new_password": [weakness]})


def settle(attempt: Attempt, refusal: ShopError) -> User | ShopError:
    """Record how an attempt ended: the account, locked until the commit, or why not.

    A refusal is returned, not raised: it leaves a trace that has to be committed.
    """
    taken = throttle_service.take(attempt.guards)
    locked = throttle_service.refusal_of(attempt.guards, taken)
    if locked:
        return locked  # whether or not the password fits
    user = _still_fits(attempt)
    if user is None:
        throttle_service.record_failure(attempt.guards, taken)
        return refusal
    throttle_service.record_success(attempt.guards, taken)
    return user


def sign_in(attempt: Attempt, lifetime: timedelta) -> Session | ShopError:
    """Open a session for whoever gave the right password.

    A refusal is returned, so that it is counted: `invalid_credentials` or `too_many_attempts`.
    """
    session = _begin_at_once(attempt, lifetime) or _begin_counted(attempt, lifetime)
    if not isinstance(session, TooManyAttempts):  # then no password is looked at
        after_commit(lambda: metrics.password_tried(fits=isinstance(session, Session)))
        _log_sign_in(attempt, session)
    return session


def _log_sign_in(attempt: Attempt, outcome: Session | ShopError) -> None:
    user_id = attempt.account.user_id if attempt.account else None
    if isinstance(outcome, Session):
        security_log.record(security_log.SIGNED_IN, user_id, attempt.client)
    else:
        security_log.record_failure(user_id, attempt.client)


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
        security_log.record_of(actor, security_log.PASSWORD_REFUSED)
        return user
    user.set_password(password_hash)
    security_log.record_of(actor, security_log.PASSWORD_CHANGED)
    session_service.end_all(user.id, except_id=actor.session_id)
    return user


def change_password_and_session(
    actor: Actor, attempt: Attempt, password_hash: str, lifetime: timedelta, client: str | None
) -> tuple[User, Session] | ShopError:
    """Store a new password's hash and end every session of the caller; a new one takes the place of
    this one, so that whoever copied its token is out.

    A refusal of the current password is returned, so that it is counted.
    """
    user = change_password(actor, attempt, password_hash)
    if isinstance(user, ShopError):
        return user
    session_service.end(actor.session_id or 0)
    place = throttle_service.place_key(client)
    return user, session_service.begin(user.id, lifetime, place)


def sign_out_everywhere(actor: Actor) -> None:
    """End all sessions of the caller, this one included.

    Raises:
        Unauthenticated: the account was closed since the request came in.
    """
    session_service.end_all(user_service.lock_caller(actor).id)
    security_log.record_of(actor, security_log.SIGNED_OUT_EVERYWHERE)


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
        security_log.record_of(actor, security_log.PASSWORD_REFUSED)
        return user
    security_log.record_of(actor, security_log.ACCOUNT_DELETED)
    if user.role == "admin":
        user_service.refuse_last_admin(user, user_service.lock_admins())
        # Customers who leave are nobody's business; that staff are fewer is.
        trail.record(actor, "user.deleted", user.id, user_service.standing(user))
    user_service.bury(user)
    session_service.forget_places(user.id)
    return user


def _begin_at_once(attempt: Attempt, lifetime: timedelta) -> Session | None:
    """A session for a password that fits where no failure is on record, as mostly.

    Whoever fails at the same time counts as having come later. So of guesses that are all under way
    before the first failure is recorded, the right one gets in, however many there are: once, since
    from then on each is counted before it is judged.
    """
    if attempt.account is None or not attempt.fits:
        return None
    session = session_service.begin_by(
        _BEGIN_UNLESS_COUNTED,
        attempt.account.user_id,
        lifetime,
        attempt.place,
        **_password_values(attempt.account),
        **throttle_service.key_values(attempt.guards),
    )
    if session is not None:
        _store_new_hash(attempt)
    return session


def _begin_counted(attempt: Attempt, lifetime: timedelta) -> Session | ShopError:
    refusal = Unauthenticated("invalid_credentials", "The email or the password is wrong.")
    user = settle(attempt, refusal)
    if isinstance(user, ShopError):
        return user
    return session_service.begin(user.id, lifetime, attempt.place)


_ACCOUNTS = select(User.id, User.password_hash, User.password_version).where(
    User.deleted_at.is_(None)
)
_BY_EMAIL = prepared(
    _ACCOUNTS.add_columns(CAME_FROM, User.email).where(
        User.email_key.in_([bindparam("email"), bindparam("former")])
    )
)
_BY_ID = prepared(_ACCOUNTS.add_columns(false()).where(User.id == bindparam("user_id")))


def _find_by_email(email: str, key: str, places: Sequence[str]) -> Account | None:
    """The account of an address, which may still be stored under a key of earlier releases."""
    former = key if key.isascii() and email.isascii() else emails.former_key(email)
    values = {"email": key, "former": former, **session_service.place_values(places)}
    rows: Any = run(_BY_EMAIL, values)
    for row in rows:
        if row[4] == email or emails.key(row[4]) == key:
            return Account(row[0], row[1], row[2], bool(row[3]))
    return None


def _find(query: Select[Any], **values: Any) -> Account | None:
    row: Any = run(query, values).one_or_none()
    return Account(row[0], row[1], row[2], bool(row[3])) if row else None


def _try(
    guards: Guards, account: Account | None, password: str, place: str | None = None
) -> Attempt:
    throttle_service.refuse_locked(guards)
    fits = password_hashing.matches(account.password_hash if account else None, password)
    return Attempt(guards, account, fits, place)


def _store_new_hash(attempt: Attempt) -> None:
    """Replace the hash that the password was compared with, unless it is another one by now."""
    if attempt.account and attempt.new_hash:
        user_id, old = attempt.account.user_id, attempt.account.password_hash
        run(_STORE_NEW_HASH, id_of_user=user_id, old_hash=old, new_hash=attempt.new_hash)


_STORE_NEW_HASH = (
    update(User)
    .where(User.id == bindparam("id_of_user"), User.password_hash == bindparam("old_hash"))
    .values(password_hash=bindparam("new_hash"))
)


def _still_fits(attempt: Attempt) -> User | None:
    if attempt.account is None or not attempt.fits:
        return None
    values = {"user_id": attempt.account.user_id, **_password_values(attempt.account)}
    user: User | None = db.session.scalar(_STILL_FITS, values)
    if user is not None:
        _store_new_hash(attempt)
    return user


def _password_values(account: Account) -> dict[str, Any]:
    """What `_SAME_PASSWORD` asks for."""
    old_hash = account.password_hash
    version = account.password_version
    return {"password_hash": old_hash, "password_version": version, "old_cost": old_hash[4:6]}


_SAME_PASSWORD = and_(
    User.password_version == bindparam("password_version"),
    # Another hash of the same password has a higher cost. A server of the release before, which
    # knows of no versions, changes the password at the same cost.
    or_(
        User.password_hash == bindparam("password_hash"),
        func.substr(User.password_hash, 5, 2) > bindparam("old_cost"),
    ),
)
_FITS = and_(
    User.id == bindparam("user_id"),
    _SAME_PASSWORD,
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

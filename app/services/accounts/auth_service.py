"""Signing in and out: passwords, and the sessions that they open.

Comparing a password takes about 250 ms (bcrypt at cost 12), so it must not run while a transaction
holds locks. A check therefore has two steps. `try_credentials` and `try_own_password` read the hash
and compare, outside of any transaction. `record_attempt` runs inside one: it locks the counters of failures
(`throttle_service`), refuses whoever is locked out by now, and records the outcome.

Simpler, but wrong: to skip the counters where no failure is on record. Of guesses that run in
parallel, all would be judged before the first failure is recorded, and the right one would get in,
however many there are. The lock makes them count one after another, in the order of commits.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Row, bindparam, false, func, or_, select, update

from app.db.prepared import prepared, run
from app.db.unit_of_work import after_commit
from app.domain.people import emails, passwords
from app.domain.people.actor import Actor
from app.domain.people.guessing import AttemptCounters
from app.errors import Busy, Invalid, ShopError, TooManyAttempts, Unauthenticated
from app.extensions import db
from app.models import Session, User
from app.observability import metrics
from app.services import user_service
from app.services.accounts import (
    account_tokens,
    bulkhead,
    device_tokens,
    password_hashing,
    second_factors,
    second_step,
    session_service,
    throttle_service,
)
from app.services.accounts.session_service import IS_KNOWN_PLACE
from app.services.audit import security_log, trail
from app.services.messages import mail_rules

log = logging.getLogger(__name__)


class Account(NamedTuple):
    """The columns of an account that a check of a password needs."""

    user_id: int
    password_hash: str
    password_version: int
    is_known: bool
    """Whether somebody signed in to it from this network before."""


@dataclass(frozen=True)
class Attempt:
    """A password that was compared with an account's hash, and the counters that it counts for."""

    guards: AttemptCounters
    account: Account | None
    is_correct: bool
    place: str | None = None
    """The keyed hash by which the database knows the client's network."""
    client: str | None = None
    """The client's network address."""
    user_agent: str = ""
    """The program that calls, as `user_agents.clean` returns it."""
    new_hash: str | None = None
    """A hash of the same password at the present cost, where the stored one has a lower cost."""

    def mark_device(self, device: str) -> str:
        """The device tokens that the client should keep after a correct password."""
        account = self.account
        if account is None:
            return device
        return device_tokens.mark_device(device, account.user_id, account.password_version)


def register(
    lifetime: timedelta,
    client: str | None,
    email: str,
    password_hash: str,
    first_name: str = "",
    last_name: str = "",
) -> User:
    """Create an account.

    The client's network counts as known to the account for `lifetime`, so that somebody who guesses
    from the same network does not keep the owner from the first sign-in.

    Raises:
        Conflict: `email_taken`.
    """
    user = user_service.add(email, password_hash, first_name, last_name)
    account_tokens.send_link(user, "verify", user.email or "")
    session_service.note_place(user.id, lifetime, throttle_service.place_key(client))
    security_log.record(security_log.REGISTERED, user.id, client)
    return user


def register_and_sign_in(
    lifetime: timedelta, client: str | None, user_agent: str, **account: str
) -> Session:
    """Create an account with the values that `user_service.add` takes, and open its session."""
    user = user_service.add(**account)
    account_tokens.send_link(user, "verify", user.email or "")
    security_log.record(security_log.REGISTERED, user.id, client)
    place = throttle_service.place_key(client)
    return session_service.begin(user.id, lifetime, place, user_agent)


def try_credentials(
    email: str, password: str, client: str | None = None, device: str = "", user_agent: str = ""
) -> Attempt:
    """Compare a password with that of an email address's account.

    It takes the same time whether or not there is an account.

    Args:
        client: the client's network address.
        device: the device tokens that the client sent.
        user_agent: the program that calls, as `user_agents.clean` returns it.

    Raises:
        TooManyAttempts: the address is locked for this client.
        Busy: too many passwords are hashed at present.
    """
    bulkhead.current().refuse_if_full()
    key, places = emails.key(email), throttle_service.place_keys(client)
    account = _find_by_email(email, key, places)
    is_known = bool(account and account.is_known)
    guards = _device_guards(key, account, device)
    guards = guards or throttle_service.login_guards(key, client, is_known)
    attempt = _compare(guards, account, password)
    place = places[0] if places else None
    attempt = replace(attempt, client=client, place=place, user_agent=user_agent)
    if account and attempt.is_correct and password_hashing.is_outdated(account.password_hash):
        with suppress(Busy):  # then the next sign-in replaces it
            return replace(attempt, new_hash=password_hashing.hash_password(password))
    return attempt


def _device_guards(email_key: str, account: Account | None, device: str) -> AttemptCounters | None:
    """The counters of a device that carries the account's token; None where it carries none.

    None also where the token was used for guessing: its holder counts like anybody without one.
    """
    if account is None:
        return None
    token = device_tokens.find_token(device, account.user_id, account.password_version)
    if token is None:
        return None
    guards = throttle_service.device_guards(email_key, token)
    return None if throttle_service.find_lock(guards) else guards


def try_own_password(actor: Actor, password: str) -> Attempt:
    """Compare a password with the caller's own, before a change that a thief would like to make.

    Raises:
        TooManyAttempts: too many tries with this session.
        Busy: too many passwords are hashed at present.
    """
    guards = throttle_service.own_guards(actor.user_id or 0, actor.session_id)
    row = run(_BY_ID, user_id=actor.user_id).one_or_none()
    return _compare(guards, _account(row) if row else None, password)


def refuse_weak_password(actor: Actor, password: str, store_name: str) -> None:
    """Refuse a new password that consists of the caller's email or names or the store's name.

    Raises:
        Invalid: on `new_password`.
    """
    user = user_service.get_user(actor.user_id or 0)
    refuse_weak_password_of(user, password, store_name)


def refuse_weak_password_of(user: User, password: str, store_name: str) -> None:
    """Refuse a new password of this account that consists of its email or names or the store's name.

    Raises:
        Invalid: on `new_password`.
    """
    words = [store_name, user.email or "", user.first_name, user.last_name]
    weakness = passwords.weakness(password, words)
    if weakness:
        raise Invalid({"new_password": [weakness]})


def record_attempt(attempt: Attempt, refusal: ShopError) -> User | ShopError:
    """Record the outcome of an attempt; return its account, locked until the commit, or a refusal.

    A refusal is returned, not raised, because the failure that it counts has to be committed.
    """
    rows = throttle_service.lock_counts(attempt.guards)
    too_many = throttle_service.refusal(attempt.guards, rows)
    if too_many:
        return too_many  # whether or not the password is correct
    user = _lock_user(attempt)
    if user is None:
        throttle_service.record_failure(attempt.guards, rows)
        return refusal
    throttle_service.record_success(attempt.guards, rows)
    return user


def sign_in(attempt: Attempt, lifetime: timedelta) -> Session | ShopError:
    """Open a session after a correct password, or begin the second step of an account that has a
    second factor.

    A refusal is returned, so that what it stores is committed: `invalid_credentials`,
    `too_many_attempts`, or `mfa_required`.
    """
    user = record_attempt(
        attempt, Unauthenticated("invalid_credentials", "The email or the password is wrong.")
    )
    if isinstance(user, TooManyAttempts):
        return user
    if isinstance(user, ShopError):
        after_commit(metrics.shop.sign_ins.labels("wrong").inc)
        user_id = attempt.account.user_id if attempt.account else None
        security_log.record_failure(user_id, attempt.client)
        return user
    if second_factors.is_enabled(user.id):
        return second_step.begin(user)
    after_commit(metrics.shop.sign_ins.labels("right").inc)
    security_log.record(security_log.SIGNED_IN, user.id, attempt.client)
    session = session_service.begin(user.id, lifetime, attempt.place, attempt.user_agent)
    mail_rules.queue_staff_sign_in(user, session)
    return session


def refresh(session_id: int, generation: int, lifetime: timedelta) -> Session | ShopError:
    """Exchange a refresh token of this generation; of parallel uses one succeeds.

    A token that is used twice ends its session, since one of the two users is a thief (RFC 9700,
    section 4.14.2). That refusal is returned, so that the end is committed.
    """
    session = session_service.advance(session_id, generation, lifetime)
    if session is None:
        session_service.end(session_id)
        log.warning(
            "A refresh token was used that was used before or has ended; session %s", session_id
        )
        return Unauthenticated("invalid_token", "The token is not valid, or no longer.")
    return session


def change_password(actor: Actor, attempt: Attempt, password_hash: str) -> User | ShopError:
    """Store a new password's hash, and end all other sessions of the caller.

    A refusal of the current password is returned, so that it is counted.
    """
    user = record_attempt(attempt, Invalid({"current_password": ["This is not your password."]}))
    if isinstance(user, ShopError):
        security_log.record_of(actor, security_log.PASSWORD_REFUSED)
        return user
    user.set_password(password_hash)
    security_log.record_of(actor, security_log.PASSWORD_CHANGED)
    mail_rules.queue_password_changed(user)
    session_service.end_all(user.id, except_id=actor.session_id)
    return user


def change_password_and_session(
    actor: Actor,
    attempt: Attempt,
    password_hash: str,
    lifetime: timedelta,
    client: str | None,
    user_agent: str = "",
) -> tuple[User, Session] | ShopError:
    """Store a new password's hash, end every session of the caller, and begin a new one.

    A copy of the present session's token is void afterwards.

    A refusal of the current password is returned, so that it is counted.
    """
    user = change_password(actor, attempt, password_hash)
    if isinstance(user, ShopError):
        return user
    session_service.end(actor.session_id or 0)
    place = throttle_service.place_key(client)
    return user, session_service.begin(user.id, lifetime, place, user_agent)


def close_account(actor: Actor, attempt: Attempt) -> User | ShopError:
    """Delete the caller's account; a row without personal data stays, because orders refer to it.

    A refusal of the password is returned, so that it is counted.

    Raises:
        Conflict: `last_admin`.
    """
    if actor.is_admin:
        user_service.lock_admins()  # before one's own row, or two admins could deadlock
    user = record_attempt(attempt, Invalid({"password": ["This is not your password."]}))
    if isinstance(user, ShopError):
        security_log.record_of(actor, security_log.PASSWORD_REFUSED)
        return user
    security_log.record_of(actor, security_log.ACCOUNT_DELETED)
    if user.role == "admin":
        user_service.refuse_last_admin(user, user_service.lock_admins())
        # The audit trail is about staff; customers who leave are not in it.
        trail.record(actor, "user.deleted", user.id, user_service.audited_state(user))
    user_service.erase(user)
    session_service.erase_places(user.id)
    return user


_ACCOUNTS = select(User.id, User.password_hash, User.password_version).where(
    User.deleted_at.is_(None)
)
_BY_EMAIL = prepared(
    _ACCOUNTS.add_columns(IS_KNOWN_PLACE.label("is_known"), User.email).where(
        User.email_key.in_([bindparam("email"), bindparam("former")])
    )
)
_BY_ID = prepared(
    _ACCOUNTS.add_columns(false().label("is_known")).where(User.id == bindparam("user_id"))
)


def _find_by_email(email: str, key: str, places: Sequence[str]) -> Account | None:
    """The account of an address, which may be stored under the key of an earlier release."""
    former = key if key.isascii() and email.isascii() else emails.former_key(email)
    values = {"email": key, "former": former, **session_service.place_values(places)}
    for row in run(_BY_EMAIL, values):
        if row.email == email or emails.key(row.email) == key:
            return _account(row)
    return None


def _account(row: Row[Any]) -> Account:
    return Account(row.id, row.password_hash, row.password_version, bool(row.is_known))


def _compare(guards: AttemptCounters, account: Account | None, password: str) -> Attempt:
    throttle_service.refuse_locked(guards)
    is_correct = password_hashing.matches(account.password_hash if account else None, password)
    return Attempt(guards, account, is_correct)


def _lock_user(attempt: Attempt) -> User | None:
    """Lock the account of a correct password; None if it, or its password, has changed since."""
    account = attempt.account
    if account is None or not attempt.is_correct:
        return None
    values = {
        "user_id": account.user_id,
        "password_hash": account.password_hash,
        "password_version": account.password_version,
        "old_cost": account.password_hash[4:6],
    }
    user: User | None = db.session.scalar(_LOCK_UNCHANGED_USER, values)
    if user is not None and attempt.new_hash:
        old_hash = account.password_hash
        run(_REPLACE_HASH, user_id=user.id, old_hash=old_hash, new_hash=attempt.new_hash)
    return user


# A hash at a higher cost is one of the same password. A server of the release before, which does
# not know versions, stores a new password at the same cost.
_LOCK_UNCHANGED_USER = (
    select(User)
    .where(
        User.id == bindparam("user_id"),
        User.password_version == bindparam("password_version"),
        or_(
            User.password_hash == bindparam("password_hash"),
            func.substr(User.password_hash, 5, 2) > bindparam("old_cost"),
        ),
        User.is_active,
        User.deleted_at.is_(None),
    )
    .with_for_update(key_share=True)
    .execution_options(populate_existing=True)
)
# Another sign-in may have replaced the hash already.
_REPLACE_HASH = (
    update(User)
    .where(User.id == bindparam("user_id"), User.password_hash == bindparam("old_hash"))
    .values(password_hash=bindparam("new_hash"))
)

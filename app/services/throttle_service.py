"""The guard against guessing passwords: failures in a row lock an account for a growing while.

It lives in the database, so that restarts and more workers do not weaken it (OWASP Authentication
Cheat Sheet, "Account Lockout"). What is guessed at has a row here whether or not it exists.
"""

import hashlib
import math
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from app.domain import emails
from app.domain.clock import utc_now
from app.errors import TooManyAttempts
from app.extensions import db
from app.models import LoginThrottle
from app.services.sweeping import sweep

FREE_FAILURES = 5
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(days=1)


def login_key(email: str) -> str:
    """The key under which sign-ins to an address are counted."""
    return _hashed(f"email:{emails.key(email)}")


def own_key(user_id: int) -> str:
    """The key under which a signed-in user's tries of the own password are counted.

    It is another one than for signing in: strangers who guess there cannot keep the owner from
    changing the password, and a stolen access token cannot be used to guess it either.
    """
    return _hashed(f"user:{user_id}")


def refuse_locked(key: str) -> None:
    """Spare the work of checking a password that would be refused anyway.

    Raises:
        TooManyAttempts: the key is locked.
    """
    throttle = db.session.scalar(select(LoginThrottle).where(LoginThrottle.key == key))
    refusal = refusal_of(throttle) if throttle else None
    if refusal:
        raise refusal


def take(key: str) -> LoginThrottle:
    """The key's row, made if it is missing, and locked until the commit.

    Tries made at the same time thereby count one after another, in the order of their commits.
    """
    dialect = postgresql if db.engine.dialect.name == "postgresql" else sqlite
    fresh = dialect.insert(LoginThrottle).values(key=key)
    # An update that changes nothing: it waits for whoever holds the row, and then holds it.
    db.session.execute(
        fresh.on_conflict_do_update(index_elements=["key"], set_={"key": fresh.excluded.key})
    )
    return db.session.scalars(
        select(LoginThrottle)
        .where(LoginThrottle.key == key)
        .execution_options(populate_existing=True)
    ).one()


def refusal_of(throttle: LoginThrottle) -> TooManyAttempts | None:
    """Why no password is looked at now, while the row is locked."""
    now = utc_now()
    if throttle.locked_until is None or throttle.locked_until <= now:
        return None
    wait = math.ceil((throttle.locked_until - now).total_seconds())
    detail = f"Too many failed attempts. Try again in {wait} s."
    return TooManyAttempts("too_many_attempts", detail, retry_after=wait)


def record_failure(throttle: LoginThrottle) -> None:
    """Count a wrong password; from the fifth in a row on, lock for 30 s, 60 s … 15 min."""
    now = utc_now()
    if throttle.failures == 0:
        sweep(LoginThrottle, LoginThrottle.last_failed_at < now - FORGOTTEN_AFTER)
    elif throttle.last_failed_at < now - FORGOTTEN_AFTER:
        throttle.failures = 0
    throttle.failures += 1
    throttle.last_failed_at = now
    doublings = throttle.failures - FREE_FAILURES
    if doublings >= 0:
        throttle.locked_until = now + min(FIRST_LOCK * 2 ** min(doublings, 10), LONGEST_LOCK)


def forget(*keys: str) -> None:
    """Drop what was counted under these keys, except where a try is just being counted.

    Whoever is being counted holds the row and waits for the user, whom the caller holds.
    """
    sweep(LoginThrottle, LoginThrottle.key.in_(keys))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

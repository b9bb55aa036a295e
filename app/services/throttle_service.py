"""The guard against guessing passwords: failures in a row lock for a growing while.

Failures are counted three times, so that neither one place nor many can guess for long, and none
of them can keep the owner out for good (OWASP Authentication Cheat Sheet, "Account Lockout"; NIST
SP 800-63B, section 3.2.2, allows 100 failures in a row):

- for an account from one network: whoever guesses locks out themselves, not the owner elsewhere;
- for an account from anywhere, in a day: a thousand machines that take turns;
- for a network whatever the account, in a day: one likely password for everybody.

The second and the third do not count for, or lock out, a network from which the account was signed
in to before, or made. What is guessed at is counted whether or not it exists. It lives in the database, so
that restarts and more workers do not weaken it.
"""

import hashlib
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, select

from app import metrics
from app.domain import emails
from app.domain.clock import utc_now
from app.domain.networks import network_of
from app.errors import TooManyAttempts
from app.extensions import db
from app.models import LoginThrottle
from app.plans import kept
from app.services.prepared import run, upsert
from app.services.sweeping import sweep
from app.unit_of_work import after_commit

FREE_FAILURES = 5
FREE_FROM_ANYWHERE = 50
FREE_FROM_A_NETWORK = 1000
FIRST_LOCK = timedelta(seconds=30)
LONGEST_LOCK = timedelta(minutes=15)
LONGEST_FROM_ANYWHERE = timedelta(minutes=5)
FORGOTTEN_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class Guard:
    """What is counted under one key: `free` failures, then locks up to `longest`."""

    key: str
    free: int = FREE_FAILURES
    longest: timedelta = LONGEST_LOCK
    in_a_row: bool = True
    """Whether a success starts the count afresh."""


Taken = Sequence[tuple[Guard, LoginThrottle]]


def login_key(email: str) -> str:
    """What the keys of all sign-ins to an address begin with."""
    return _account_key(emails.key(email))


def own_key(user_id: int) -> str:
    """What the keys begin with under which tries of the own password are counted."""
    return _hashed(f"user:{user_id}")


def place_key(address: str | None) -> str | None:
    """How the database knows the network of a client's address; None where that is not known."""
    return _hashed(f"network:{network_of(address)}") if address else None


def login_guards(email_key: str, place: str | None, is_known: bool) -> tuple[Guard, ...]:
    """What a sign-in is counted under; `is_known` where the account came from this place before."""
    account = _account_key(email_key)
    here = Guard(account + (place or _hashed("nowhere")))
    if is_known:
        return (here,)
    # A new key each day: such a count has to end, since no success of its own ever ends it.
    today = _hashed(f"day:{utc_now().date()}")
    anywhere = Guard(account + today, FREE_FROM_ANYWHERE, LONGEST_FROM_ANYWHERE, in_a_row=False)
    if place is None:
        return here, anywhere
    everybody = Guard(place + today, FREE_FROM_A_NETWORK, in_a_row=False)
    return here, anywhere, everybody


def own_guards(user_id: int, session_id: int | None) -> tuple[Guard, ...]:
    """What tries of the own password are counted under, for each session by itself.

    Strangers at the door cannot keep the owner from changing the password, and neither can a thief
    with a stolen token, who can guess no further with it either.
    """
    return (Guard(own_key(user_id) + _hashed(f"session:{session_id}")),)


def refuse_locked(guards: Collection[Guard]) -> None:
    """Spare the work of checking a password that would be refused anyway.

    Raises:
        TooManyAttempts: one of the keys is locked.
    """
    refusal = _refusal(run(_ENDS, key_values(guards)).scalars())
    if refusal:
        raise refusal


def take(guards: Collection[Guard]) -> Taken:
    """The keys' rows, made where missing, and locked until the commit.

    Tries made at the same time thereby count one after another, in the order of their commits.
    """
    keys = sorted(guard.key for guard in guards)  # one order everywhere, or two would wait in turn
    rows = db.session.scalars(
        _TAKE[db.session.connection().dialect.name],
        [{"key": key} for key in keys],
        execution_options={"populate_existing": True},
    )
    found = {row.key: row for row in rows}
    return [(guard, found[guard.key]) for guard in guards]


def _taking(insert_into: Any) -> Any:
    fresh = insert_into(LoginThrottle)
    # An update that changes nothing: it waits for whoever holds the row, and then holds it.
    return fresh.on_conflict_do_update(
        index_elements=["key"], set_={"key": fresh.excluded.key}
    ).returning(LoginThrottle)


_TAKE = upsert(_taking)


def refusal_of(taken: Taken) -> TooManyAttempts | None:
    """Why no password is looked at now, while one of the rows is locked."""
    return _refusal(row.locked_until for _guard, row in taken)


def record_failure(taken: Taken) -> None:
    """Count a wrong password; from the last free one on, lock for 30 s, 60 s and so on."""
    now = utc_now()
    is_new = any(row.failures == 0 for _guard, row in taken)
    for guard, row in taken:
        if row.last_failed_at < now - FORGOTTEN_AFTER:
            row.failures = 0
        row.failures += 1
        row.last_failed_at = now
        doublings = row.failures - guard.free
        if doublings >= 0:
            row.locked_until = now + min(FIRST_LOCK * 2 ** min(doublings, 10), guard.longest)
            after_commit(metrics.locked_out)
    if is_new:
        db.session.flush()
        sweep(LoginThrottle, LoginThrottle.last_failed_at < now - FORGOTTEN_AFTER)


def record_success(taken: Taken) -> None:
    """Start afresh what counts failures in a row; what counts those of a day goes on."""
    done = [row.id for guard, row in taken if guard.in_a_row or row.failures == 0]
    run(_FORGET, ids=done)


_MOST_GUARDS = 3
_KEYS = [f"key{place}" for place in range(_MOST_GUARDS)]
_COUNTED = LoginThrottle.key.in_([bindparam(name) for name in _KEYS])
NOT_COUNTED = ~exists().where(_COUNTED)
"""Whether no failure is on record under `key_values`, for statements that do something then."""
_ENDS = kept(select(LoginThrottle.locked_until).where(_COUNTED))
_FORGET = delete(LoginThrottle).where(LoginThrottle.id.in_(bindparam("ids", expanding=True)))


def key_values(guards: Collection[Guard]) -> dict[str, str]:
    """What `NOT_COUNTED` asks for: always so many keys, some of them perhaps twice."""
    return dict(zip(_KEYS, itertools.cycle(guard.key for guard in guards), strict=False))


def forget(*beginnings: str) -> None:
    """Drop what is counted under keys that begin so, except where a try is just being counted.

    Whoever is being counted holds the row and waits for the user, whom the caller holds.
    """
    for beginning in beginnings:
        sweep(LoginThrottle, LoginThrottle.key.startswith(beginning))


def _refusal(moments: Iterable[datetime | None]) -> TooManyAttempts | None:
    now = utc_now()
    # No lock is longer than the longest: one that ends later was set by a clock that was ahead.
    latest = now + LONGEST_LOCK
    ends = [moment for moment in moments if moment and now < moment <= latest]
    if not ends:
        return None
    wait = math.ceil((max(ends) - now).total_seconds())
    detail = f"Too many failed attempts. Try again in {wait} s."
    return TooManyAttempts("too_many_attempts", detail, retry_after=wait)


def _account_key(email_key: str) -> str:
    return _hashed(f"email:{email_key}")


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

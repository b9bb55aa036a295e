"""The guard against guessing passwords: it counts failures, and `domain.guessing` says what follows.

Failures are counted several times, so that neither one network nor many can guess for long, and none
of them can keep the owner out (OWASP Authentication Cheat Sheet, "Account Lockout", and "Device
Cookies" against guessing passwords):

- for an account from one network: whoever guesses locks out themselves, not the owner elsewhere;
- for an account from all strange networks, in a day: machines that take turns;
- for a network whatever the account, in a day: one likely password for everybody;
- for an account and a device that carries its token: nobody else's failures count there.

A network from which the account was signed in to before, or made, is no strange one: only its own
failures at this account lock it out. A network of IPv6 is counted in three sizes, since one customer
may have 65,536 of the smallest.

What is guessed at is counted whether or not it exists. It lives in the database, so that restarts and
more workers do not weaken it, under keyed hashes, so that a copy of it tells no address.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, select

from app.db.cleanup import sweep
from app.db.prepared import prepared, run, upsert
from app.db.unit_of_work import after_commit
from app.domain.clock import utc_now
from app.domain.people import emails, guessing
from app.domain.people.guessing import FORGOTTEN_AFTER, Counter, Guards, Stranger
from app.domain.people.networks import networks_of
from app.errors import TooManyAttempts
from app.extensions import db
from app.keyed_hashes import keyed_hash, keyed_hashes
from app.models import LoginThrottle
from app.observability import metrics

PLACES = 3
"""Under how many keys a place is looked for: the present one, and those of SECRET_KEY_FALLBACKS."""
PLACE_MARK = "k"
"""What places begin with, to tell them from the plain hashes of older releases."""

Taken = Mapping[str, LoginThrottle]


def login_key(email: str) -> str:
    """What the keys of all sign-ins to an address begin with."""
    return _account_key(emails.key(email))


def own_key(user_id: int) -> str:
    """What the keys begin with under which tries of the own password are counted."""
    return _hashed(f"user:{user_id}")


def place_key(address: str | None) -> str | None:
    """How the database knows the network of a client's address; None where that is not known."""
    keys = place_keys(address)
    return keys[0] if keys else None


def place_keys(address: str | None) -> Sequence[str]:
    """All names under which the database may know the network, always `PLACES` or none."""
    networks = networks_of(address)
    if not networks:
        return []
    names = [PLACE_MARK + one.hex()[:31] for one in keyed_hashes("place", networks[0])]
    return (names * PLACES)[:PLACES]


def login_guards(email_key: str, address: str | None, is_known: bool) -> Guards:
    """What a sign-in is counted under; `is_known` where the account came from there before."""
    account = _account_key(email_key)
    networks = networks_of(address) or ("nowhere",)
    here = [
        Counter(account + _hashed(f"network:{network}"), free)
        for network, free in zip(networks, guessing.FREE_FAILURES, strict=False)
    ]
    if is_known:
        return Guards(tuple(here))
    # A new key each day: such a count has to end, since no success of its own ever ends it.
    today = f"day:{utc_now().date()}"
    anywhere = Counter(
        account + _hashed(today), guessing.FREE_FROM_ANYWHERE, in_a_row=False, locks=False
    )
    stranger = Stranger(here[-1].key, anywhere.key, _place_in_turn(account, networks[-1]))
    return Guards((*here, anywhere, *_for_all_accounts(networks_of(address), today)), stranger)


def _for_all_accounts(networks: Sequence[str], today: str) -> list[Counter]:
    return [
        Counter(_hashed(f"network:{network}") + _hashed(today), free, in_a_row=False)
        for network, free in zip(networks, guessing.FREE_FROM_A_NETWORK, strict=False)
    ]


def _place_in_turn(account: str, network: str) -> int:
    return int.from_bytes(keyed_hash("turn", f"{account}:{network}")[:4], "big")


def device_guards(email_key: str, token: str) -> Guards:
    """What a sign-in from a device that carries the account's token is counted under.

    The lock is as long as the count is kept: a device that fails so often is none of the owner's.
    """
    key = _account_key(email_key) + _hashed(f"device:{token}")
    lock = FORGOTTEN_AFTER
    return Guards((Counter(key, guessing.FREE_OF_A_DEVICE, first=lock, longest=lock),))


def own_guards(user_id: int, session_id: int | None) -> Guards:
    """What tries of the own password are counted under, for each session by itself.

    Strangers cannot keep the owner from changing the password, and neither can a thief with a
    stolen token, who can guess no further with it either.
    """
    return Guards((Counter(own_key(user_id) + _hashed(f"session:{session_id}")),))


def refuse_locked(guards: Guards) -> None:
    """Spare the work of checking a password that would be refused anyway.

    Raises:
        TooManyAttempts: one of the keys is locked.
    """
    refusal = find_lock(guards)
    if refusal:
        raise refusal


def find_lock(guards: Guards) -> TooManyAttempts | None:
    """Why no password is looked at now, as far as can be told without waiting for anybody."""
    rows: Any = run(_COUNTS, key_values(guards)).all()
    return _refusal(guards, {row.key: row for row in rows})


def take(guards: Guards) -> Taken:
    """The keys' rows, made where missing, and locked until the commit.

    Tries made at the same time thereby count one after another, in the order of their commits.
    """
    keys = sorted(guards.keys)  # one order everywhere, or two would wait in turn
    rows = db.session.scalars(
        _TAKE[db.session.connection().dialect.name],
        [{"key": key} for key in keys],
        execution_options={"populate_existing": True},
    )
    return {row.key: row for row in rows}


def _taking(insert_into: Any) -> Any:
    fresh = insert_into(LoginThrottle)
    # An update that changes nothing: it waits for whoever holds the row, and then holds it.
    return fresh.on_conflict_do_update(
        index_elements=["key"], set_={"key": fresh.excluded.key}
    ).returning(LoginThrottle)


_TAKE = upsert(_taking)


def refusal_of(guards: Guards, taken: Taken) -> TooManyAttempts | None:
    """Why no password is looked at now."""
    return _refusal(guards, taken)


def record_failure(guards: Guards, taken: Taken) -> None:
    """Count a wrong password; from the last free one on, lock for a growing while."""
    now = utc_now()
    is_new = any(row.failures == 0 for row in taken.values())
    if guards.stranger and guessing.is_new_today(guards.stranger, taken, now):
        taken[guards.stranger.anywhere_key].networks += 1
    for counter in guards.counters:
        _count(counter, taken[counter.key])
    if is_new:
        db.session.flush()
        sweep(LoginThrottle, LoginThrottle.last_failed_at < now - FORGOTTEN_AFTER)


def _count(counter: Counter, row: LoginThrottle) -> None:
    now = utc_now()
    if row.last_failed_at < now - FORGOTTEN_AFTER:
        row.failures = 0
    row.failures += 1
    row.last_failed_at = now
    lock = counter.lock_after(row.failures)
    if lock:
        row.locked_until = now + min(lock, counter.longest)
        after_commit(metrics.locked_out)


def record_success(guards: Guards, taken: Taken) -> None:
    """Start afresh what counts failures in a row; what counts those of a day goes on."""
    in_a_row = {counter.key for counter in guards.counters if counter.in_a_row}
    done = [row.id for key, row in taken.items() if key in in_a_row or row.failures == 0]
    run(_FORGET, ids=done)


_MOST_KEYS = 7
_KEYS = [f"key{place}" for place in range(_MOST_KEYS)]
_COUNTED = LoginThrottle.key.in_([bindparam(name) for name in _KEYS])
NOT_COUNTED = ~exists().where(_COUNTED)
"""Whether no failure is on record under `key_values`, for statements that do something then."""
_COUNTS = prepared(
    select(
        LoginThrottle.key,
        LoginThrottle.failures,
        LoginThrottle.networks,
        LoginThrottle.last_failed_at,
        LoginThrottle.locked_until,
    ).where(_COUNTED)
)
_FORGET = delete(LoginThrottle).where(LoginThrottle.id.in_(bindparam("ids", expanding=True)))


def key_values(guards: Guards) -> dict[str, str]:
    """What `NOT_COUNTED` asks for: always so many keys, some of them perhaps twice."""
    return dict(zip(_KEYS, itertools.cycle(guards.keys), strict=False))


def forget(*beginnings: str) -> None:
    """Drop what is counted under keys that begin so, except where a try is just being counted.

    Whoever is being counted holds the row and waits for the user, whom the caller holds.
    """
    for beginning in beginnings:
        sweep(LoginThrottle, LoginThrottle.key.startswith(beginning))


def _refusal(guards: Guards, counts: Mapping[str, Any]) -> TooManyAttempts | None:
    now = utc_now()
    end = guessing.waits_until(guards, counts, now)
    if end is None:
        return None
    wait = math.ceil((end - now) / timedelta(seconds=1))
    detail = f"Too many failed attempts. Try again in {wait} s."
    return TooManyAttempts("too_many_attempts", detail, retry_after=wait)


def _account_key(email_key: str) -> str:
    return _hashed(f"email:{email_key}")


def _hashed(text: str) -> str:
    return keyed_hash("throttle", text).hex()[:32]

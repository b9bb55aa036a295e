"""The guard against guessing passwords: it counts failures, and `domain.people.guessing` says for
how long they lock.

A lock has to stop both one network and many that guess, and must not keep the owner out: anybody can
fail on purpose at an email address. So each failure counts several times (OWASP Authentication
Cheat Sheet, "Account Lockout" and "Device Cookies"):

- for the account from one network: guessers lock out themselves, not the owner elsewhere;
- for the account from all unknown networks, in a day: machines that take turns;
- for the network whatever the account, in a day: one likely password for all accounts;
- for the account and a device that carries its token: failures elsewhere do not count there.

A network from which somebody signed in to the account before, or registered it, is known: only its
own failures at this account lock it out. An IPv6 network is counted in three sizes, because one
customer may have 65,536 of the smallest. Failures count whether or not the account exists.

The counts are rows of the database, under keyed hashes: restarts and further workers do not weaken
them, and a copy of the database names no address. Every attempt locks its rows before it is judged.

Simpler, but wrong: one counter for each account (a stranger keeps the owner out), one for each
network (a botnet guesses without end), counts in Redis (which may forget them), and to count without
a lock (guesses that run in parallel are all judged before the first failure is recorded).
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, select

from app.db.cleanup import delete_batch
from app.db.prepared import prepared, run, upsert
from app.db.unit_of_work import after_commit
from app.domain.clock import utc_now
from app.domain.people import emails, guessing
from app.domain.people.guessing import (
    COUNT_LIFETIME,
    AttemptCounters,
    Count,
    FailureCounter,
    UnknownNetwork,
)
from app.domain.people.networks import networks_of
from app.errors import TooManyAttempts
from app.extensions import db
from app.keyed_hashes import keyed_hash, keyed_hashes
from app.models import LoginThrottle
from app.observability import metrics

PLACES = 3
"""How many keys a place may be stored under: the present one, and those of SECRET_KEY_FALLBACKS."""
PLACE_MARK = "k"
"""The first letter of places, which the plain hashes of older releases do not have."""

Rows = Mapping[str, LoginThrottle]
"""Locked rows by their keys."""


def login_key(email: str) -> str:
    """The prefix of the keys of all sign-ins to an email address."""
    return _account_key(emails.key(email))


def own_key(user_id: int) -> str:
    """The prefix of the keys under which checks of a user's own password are counted."""
    return _hashed(f"user:{user_id}")


def place_key(address: str | None) -> str | None:
    """The keyed hash of the network of a client's address; None where the address is not known."""
    keys = place_keys(address)
    return keys[0] if keys else None


def place_keys(address: str | None) -> Sequence[str]:
    """All keyed hashes under which the network may be stored, always `PLACES` or none."""
    networks = networks_of(address)
    if not networks:
        return []
    names = [PLACE_MARK + one.hex()[:31] for one in keyed_hashes("place", networks[0])]
    return (names * PLACES)[:PLACES]


def login_guards(email_key: str, address: str | None, is_known: bool) -> AttemptCounters:
    """The counters of a sign-in; `is_known` says whether the network is known to the account."""
    account = _account_key(email_key)
    networks = networks_of(address) or ("nowhere",)
    here = _for_account(account, networks)
    if is_known:
        return AttemptCounters(tuple(here))
    today = _today()
    anywhere = FailureCounter(
        account + _hashed(today), guessing.FREE_FROM_ANYWHERE, in_a_row=False, locks=False
    )
    unknown = UnknownNetwork(here[-1].key, anywhere.key, _place_in_turn(account, networks[-1]))
    return AttemptCounters(
        (*here, anywhere, *_for_all_accounts(networks_of(address), today)), unknown
    )


def _for_account(account: str, networks: Sequence[str]) -> list[FailureCounter]:
    return [
        FailureCounter(account + _hashed(f"network:{network}"), free)
        for network, free in zip(networks, guessing.FREE_FAILURES, strict=False)
    ]


def _for_all_accounts(networks: Sequence[str], today: str) -> list[FailureCounter]:
    return [
        FailureCounter(_hashed(f"network:{network}") + _hashed(today), free, in_a_row=False)
        for network, free in zip(networks, guessing.FREE_FROM_A_NETWORK, strict=False)
    ]


def _place_in_turn(account: str, network: str) -> int:
    return int.from_bytes(keyed_hash("turn", f"{account}:{network}")[:4], "big")


def device_guards(email_key: str, token: str) -> AttemptCounters:
    """The counters of a sign-in from a device that carries the account's token.

    The lock lasts as long as the count: a device that fails so often is not the owner's.
    """
    return _device_guards(_account_key(email_key), token)


def _device_guards(account: str, token: str) -> AttemptCounters:
    key, lock = account + _hashed(f"device:{token}"), COUNT_LIFETIME
    return AttemptCounters(
        (FailureCounter(key, guessing.FREE_OF_A_DEVICE, first=lock, longest=lock),)
    )


def code_guards(user_id: int, address: str | None, is_known: bool) -> AttemptCounters:
    """The counters of a code of a second factor; `is_known` says whether the network is known.

    The account's failures from all strange networks lock these for the day, and those from all known
    networks and devices lock these.
    """
    account = code_key(user_id)
    here = _for_account(account, networks_of(address) or ("nowhere",))
    if is_known:
        return AttemptCounters((*here, _codes_today(account, "known")))
    for_all_accounts = _for_all_accounts(networks_of(address), _today())
    return AttemptCounters((*here, _codes_today(account, "strange"), *for_all_accounts))


def code_guards_of_device(user_id: int, token: str) -> AttemptCounters:
    """The counters of a code from a device that carries the account's token."""
    account = code_key(user_id)
    of_device = _device_guards(account, token).counters
    return AttemptCounters((*of_device, _codes_today(account, "known")))


def _codes_today(account: str, whose: str) -> FailureCounter:
    key, day = account + _hashed(f"{whose}:{_today()}"), COUNT_LIFETIME
    return FailureCounter(key, guessing.FREE_FROM_ANYWHERE, day, day, in_a_row=False)


def _today() -> str:
    """A part of keys of counts that no success ends, so the day has to."""
    return f"day:{utc_now().date()}"


def count_mail(email: str) -> bool:
    """Count a mail to an address for all accounts together; False beyond the number of a day.

    Rows of mails and tokens do not serve: they are deleted with their account.
    """
    key, day = _hashed(f"mails:{emails.key(email)}") + _hashed(_today()), COUNT_LIFETIME
    counter = FailureCounter(key, guessing.MAILS_A_DAY, day, day, in_a_row=False)
    guards = AttemptCounters((counter,))
    rows = lock_counts(guards)
    if refusal(guards, rows):
        return False
    record_failure(guards, rows)
    return True


def code_key(user_id: int) -> str:
    """The prefix of the keys of all codes of an account's second factor."""
    return _hashed(f"code:{user_id}")


class CodeEntryGuards(NamedTuple):
    """The counters of promotion codes that do not exist, in turns of CODE_ENTRY_TURN."""

    own: AttemptCounters
    """Of a cart or an account."""
    network: AttemptCounters | None
    """Of all in a network, where it is known. Those whose code exists do not wait for one another."""


def promotion_code_guards(owner: str, address: str | None) -> CodeEntryGuards:
    """The counters of whoever enters a promotion code."""
    turn = int(utc_now().timestamp() // guessing.CODE_ENTRY_TURN.total_seconds())

    def counters(key: str, free: int) -> AttemptCounters:
        lock, hashed = guessing.CODE_ENTRY_TURN, _hashed(f"promotion code:{turn}:{key}")
        return AttemptCounters((FailureCounter(hashed, free, lock, lock, in_a_row=False),))

    network = next(iter(networks_of(address)), None)
    return CodeEntryGuards(
        counters(f"owner:{owner}", guessing.FREE_CODES_OF_AN_OWNER),
        counters(f"network:{network}", guessing.FREE_CODES_OF_A_NETWORK) if network else None,
    )


def own_guards(user_id: int, session_id: int | None) -> AttemptCounters:
    """The counters of a check of a user's own password, for each session by itself.

    Neither a stranger nor a thief with a stolen token can keep the owner from changing the
    password.
    """
    return AttemptCounters((FailureCounter(own_key(user_id) + _hashed(f"session:{session_id}")),))


def refuse_locked(guards: AttemptCounters) -> None:
    """Refuse an attempt before its password is hashed, if it would be refused afterwards.

    Raises:
        TooManyAttempts: one of the counters is locked.
    """
    lock = find_lock(guards)
    if lock:
        raise lock


def find_lock(guards: AttemptCounters) -> TooManyAttempts | None:
    """The refusal of an attempt by what is committed now, None if it may go on; locks no rows."""
    keys = dict(zip(_KEYS, itertools.cycle(guards.keys), strict=False))  # some of them twice
    return refusal(guards, {row.key: row for row in run(_COUNTS, keys)})


def refusal(guards: AttemptCounters, counts: Mapping[str, Count]) -> TooManyAttempts | None:
    """The refusal of an attempt with these counts; None if it may go on."""
    now = utc_now()
    end = guessing.waits_until(guards, counts, now)
    if end is None:
        return None
    wait = math.ceil((end - now) / timedelta(seconds=1))
    detail = f"Too many failed attempts. Try again in {wait} s."
    return TooManyAttempts("too_many_attempts", detail, retry_after=wait)


def lock_counts(guards: AttemptCounters) -> Rows:
    """Lock the counters' rows until the commit; missing ones are inserted.

    Attempts at the same time therefore count one after another, in the order of their commits.
    """
    keys = sorted(guards.keys)  # in one order everywhere, or two attempts could deadlock
    rows = db.session.scalars(
        _LOCK[db.session.connection().dialect.name],
        [{"key": key} for key in keys],
        execution_options={"populate_existing": True},
    )
    return {row.key: row for row in rows}


def _upsert_locking(insert_into: Any) -> Any:  # SQLAlchemy has an Insert for each dialect
    insert = insert_into(LoginThrottle)
    # An update that changes nothing waits for the holder of the row, and then holds it.
    return insert.on_conflict_do_update(
        index_elements=["key"], set_={"key": insert.excluded.key}
    ).returning(LoginThrottle)


_LOCK = upsert(_upsert_locking)


def record_failure(guards: AttemptCounters, rows: Rows) -> None:
    """Count a wrong password; from the last free failure on, lock for a growing time."""
    now = utc_now()
    is_new = any(row.failures == 0 for row in rows.values())
    if guards.unknown_network and guessing.is_new_today(guards.unknown_network, rows, now):
        rows[guards.unknown_network.anywhere_key].networks += 1
    for counter in guards.counters:
        _count(counter, rows[counter.key])
    if is_new:
        db.session.flush()
        delete_batch(LoginThrottle, LoginThrottle.last_failed_at < now - COUNT_LIFETIME)


def _count(counter: FailureCounter, row: LoginThrottle) -> None:
    now = utc_now()
    if row.last_failed_at < now - COUNT_LIFETIME:
        row.failures = 0
    row.failures += 1
    row.last_failed_at = now
    lock = counter.lock_after(row.failures)
    if lock:
        row.locked_until = now + min(lock, counter.longest)
        after_commit(metrics.shop.lockouts.inc)


def record_success(guards: AttemptCounters, rows: Rows) -> None:
    """Delete the counts of failures in a row; those of a day go on."""
    in_a_row = {counter.key for counter in guards.counters if counter.in_a_row}
    ids = [row.id for key, row in rows.items() if key in in_a_row or row.failures == 0]
    run(_DELETE, ids=ids)


_KEYS = [f"key{place}" for place in range(7)]  # as many as an attempt has counters at most
_COUNTS = prepared(
    select(
        LoginThrottle.key, LoginThrottle.failures, LoginThrottle.networks,
        LoginThrottle.last_failed_at, LoginThrottle.locked_until,
    ).where(LoginThrottle.key.in_([bindparam(name) for name in _KEYS]))
)  # fmt: skip
_DELETE = delete(LoginThrottle).where(LoginThrottle.id.in_(bindparam("ids", expanding=True)))


def delete_counts(*prefixes: str) -> None:
    """Delete the counts whose keys begin so, except those that an attempt holds.

    To wait for such an attempt could deadlock: it waits for the user, whom the caller holds.
    """
    for prefix in prefixes:
        delete_batch(LoginThrottle, LoginThrottle.key.startswith(prefix))


def _account_key(email_key: str) -> str:
    return _hashed(f"email:{email_key}")


def _hashed(text: str) -> str:
    return keyed_hash("throttle", text).hex()[:32]

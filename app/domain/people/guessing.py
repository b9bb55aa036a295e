"""How long wrong passwords lock: rules about counts of failures, without a database.

A *counter* holds failures that share a key. Most counters lock by themselves: after a number of
free failures, for a time that doubles with each further one. The counter of an account's failures
from all networks does not lock: strangers could keep it locked, and the owner out. Past its free
failures it restricts unknown networks instead, those from which nobody signed in to the account:

- An unknown network that has failed today waits for a time that doubles with its own failures. One
  that has not failed may try at once, whatever others do.
- If more networks fail than `NETWORKS_AT_ONCE`, unknown networks take turns of an hour. The hour of a
  network follows from a keyed hash, so that nobody can take the turn of another. This limits a
  botnet to about `NETWORKS_AT_ONCE` guesses an hour.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Protocol

FREE_FAILURES = (5, 10, 20)
"""Failures in a row of an account from one network, for /64, /56 and /48, before it is locked."""
FREE_FROM_A_NETWORK = (1000, 2000, 4000)
"""Failures a day from one network over all accounts, for /64, /56 and /48, before it is locked."""
FREE_FROM_ANYWHERE = 50
"""Failures a day of an account from all unknown networks, before these have to wait."""
FREE_OF_A_DEVICE = 10
"""Failures in a row of an account from a device that carries its token."""
MAILS_A_DAY = 10
"""Mails a day that ask the holder of an address to confirm it, for all accounts together."""
CODE_ENTRY_TURN = timedelta(minutes=10)
FREE_CODES_OF_AN_OWNER, FREE_CODES_OF_A_NETWORK = 20, 100
"""Promotion codes that do not exist, in a turn, of one cart or account and of one network."""
FIRST_LOCK, LONGEST_LOCK = timedelta(seconds=30), timedelta(minutes=15)
FIRST_UNDER_ATTACK, LONGEST_UNDER_ATTACK = timedelta(hours=1), timedelta(hours=8)
TURN_SECONDS = 3600
NETWORKS_AT_ONCE = 50
COUNT_LIFETIME = timedelta(days=1)


class Count(Protocol):
    """The stored count of one key."""

    @property
    def failures(self) -> int: ...
    @property
    def networks(self) -> int: ...
    @property
    def last_failed_at(self) -> datetime: ...
    @property
    def locked_until(self) -> datetime | None: ...


@dataclass(frozen=True)
class FailureCounter:
    """A key under which failures are counted, and how long they lock it."""

    key: str
    free: int = FREE_FAILURES[0]
    first: timedelta = FIRST_LOCK
    longest: timedelta = LONGEST_LOCK
    in_a_row: bool = True
    """Whether a success deletes the count."""
    locks: bool = True

    def lock_after(self, failures: int) -> timedelta | None:
        """How long this many failures lock; None if they do not."""
        doublings = failures - self.free
        return self.first * 2 ** min(doublings, 16) if self.locks and doublings >= 0 else None


@dataclass(frozen=True)
class UnknownNetwork:
    """A network from which nobody signed in to the account before."""

    network_key: str
    """The key of the counter for the account and the widest network."""
    anywhere_key: str
    """The key of the counter for the account and all unknown networks."""
    place: int
    """A pseudo-random number that is fixed for this account and network."""


@dataclass(frozen=True)
class AttemptCounters:
    """The counters of one attempt."""

    counters: tuple[FailureCounter, ...]
    unknown_network: UnknownNetwork | None = None

    @property
    def keys(self) -> list[str]:
        """The keys of all counters."""
        return [counter.key for counter in self.counters]


def waits_until(
    guards: AttemptCounters, counts: Mapping[str, Count], now: datetime
) -> datetime | None:
    """Until when passwords are refused unseen; None if they are not."""
    ends = [*_locks(guards, counts, now)]
    if guards.unknown_network:
        ends += _waits_of_unknown(guards.unknown_network, counts, now)
    return max((end for end in ends if end > now), default=None)


def is_new_today(unknown: UnknownNetwork, counts: Mapping[str, Count], now: datetime) -> bool:
    """Whether an unknown network has not failed at this account today."""
    count = counts.get(unknown.network_key)
    return count is None or count.failures == 0 or count.last_failed_at.date() < now.date()


def _locks(
    guards: AttemptCounters, counts: Mapping[str, Count], now: datetime
) -> Iterator[datetime]:
    for counter in guards.counters:
        count = counts.get(counter.key)
        # A lock that ends later than the longest possible was set while the clock was ahead.
        if count and count.locked_until and count.locked_until <= now + counter.longest:
            yield count.locked_until


def _waits_of_unknown(
    unknown: UnknownNetwork, counts: Mapping[str, Count], now: datetime
) -> Iterator[datetime]:
    anywhere, network = counts.get(unknown.anywhere_key), counts.get(unknown.network_key)
    if anywhere is None or anywhere.failures < FREE_FROM_ANYWHERE:
        return
    if network and network.failures > 0 and network.last_failed_at <= now:
        wait = FIRST_UNDER_ATTACK * 2 ** min(network.failures - 1, 16)
        yield network.last_failed_at + min(wait, LONGEST_UNDER_ATTACK)
    yield _begin_of_turn(unknown.place, anywhere.networks, now)


def _begin_of_turn(place: int, networks: int, now: datetime) -> datetime:
    """When the next turn of an unknown network begins; in the past while its turn lasts."""
    hour = int(now.timestamp()) // TURN_SECONDS
    wait = (place - hour) % _turns(networks)
    return datetime.fromtimestamp((hour + wait) * TURN_SECONDS, timezone.utc)


def _turns(networks: int) -> int:
    """How many hours it takes until all networks have had a turn.

    It is a power of two, so that a network keeps its next turn when the number doubles.
    """
    turns = 1
    while turns * NETWORKS_AT_ONCE < networks:
        turns *= 2
    return turns

"""Lists of the catalogue may be read from a replica, a copy of the database that follows it.

They may trail by a second in all, cache included. So the primary is asked now and then how far it
has written (its position in the write-ahead log), and a reader asks the replica how far it got: it
shows everything up to the last moment whose position it has reached. Where that was long ago, or
the replica is away, the primary is read as if there were no replica.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from app.extensions import db, extension
from app.observability import metrics

REPLICA, WATCHED = "replica", "watched_primary"
"""The names of the two engines that `app.config` makes where there is a replica."""
MAX_LAG_SECONDS = 0.6
"""What trails further is not read: it could not be kept for long."""
ASK_SECONDS = 0.25
"""How often the primary is asked, and a replica that trails."""
SKIP_SECONDS = 1.0
"""For how long a replica that failed is not asked."""

# The cluster's own number goes along: another cluster's positions mean nothing here.
_WRITTEN = """SELECT system_identifier, pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')
    FROM pg_control_system()"""
_REPLAYED = """SELECT system_identifier, pg_wal_lsn_diff(pg_last_wal_replay_lsn(), '0/0')
    FROM pg_control_system() WHERE pg_is_in_recovery()"""
_AWAY = (DBAPIError, PoolTimeout)
_NEVER = float("-inf")

log = logging.getLogger(__name__)
T = TypeVar("T")


class Written(NamedTuple):
    """How far a cluster had written at a moment, of `time.monotonic`."""

    at: float
    cluster: int
    position: int


def read(build: Callable[[], T], since: float) -> tuple[T, float]:
    """What `build` reads, and the moment up to which it shows everything.

    It is read from the replica where that shows everything up to `since`, else from the primary;
    `build` may be called once more if the replica fails meanwhile.
    """
    replica = _replica()
    if replica is None:
        began = time.monotonic()
        return build(), began
    return replica.read(build, since)


def state() -> str | None:
    """`ok`, `behind`, `no replica` (it takes writes, or follows another database) or
    `unreachable`; None where none is set."""
    replica = _replica()
    return None if replica is None else replica.state()


class Replica:
    """A replica, and what is known of how far it and its primary are."""

    def __init__(self, engine: Engine, primary: Engine) -> None:
        self._engine, self._primary = engine, primary
        self._written: tuple[Written, ...] = ()
        self._ask_at = self._skip_until = 0.0
        self._asking = threading.Lock()

    def read(self, build: Callable[[], T], since: float) -> tuple[T, float]:
        """As the function of this name."""
        began = time.monotonic()
        outcome = "away"
        try:
            if self._may_be_asked(began):
                outcome = "behind"
                with _session(self._engine) as session:
                    shown = self._shown(session)
                    if shown >= max(since, began - MAX_LAG_SECONDS):
                        outcome = "replica"  # also where what is asked for is refused
                        return build(), shown
        except _AWAY as error:
            outcome = "away"
            log.warning("The replica could not be read: %s", type(error).__name__)
        finally:
            metrics.count_replica_read(outcome)
        return build(), began

    def state(self) -> str:
        """How it is, asked now; one that trails gets a moment."""
        deadline = time.monotonic() + MAX_LAG_SECONDS
        try:
            self._ask_primary()
            (newest,) = self._written[-1:]
            with _session(self._engine) as session:
                while (reached := _reached(session)) and reached[0] == newest.cluster:
                    if reached[1] >= newest.position:
                        return "ok"
                    if time.monotonic() > deadline:
                        return "behind"
                    time.sleep(0.02)
        except _AWAY:
            return "unreachable"
        return "no replica"

    def _may_be_asked(self, now: float) -> bool:
        """Whether the replica may have something to show; asks the primary when it is time to."""
        if now < self._skip_until:
            return False
        if now >= self._ask_at and self._asking.acquire(blocking=False):
            try:
                self._ask_at = now + ASK_SECONDS
                self._ask_primary()
            finally:
                self._asking.release()
        return bool(self._written)

    def _ask_primary(self) -> None:
        at = time.monotonic()  # before it is asked: what is committed later does not count
        with self._primary.connect() as connection:
            cluster, position = connection.exec_driver_sql(_WRITTEN).one()
        young = [one for one in self._written if at - one.at < 2 * MAX_LAG_SECONDS]
        self._written = (*young, Written(at, cluster, int(position)))

    def _shown(self, session: Session) -> float:
        """The last moment of which it is known that the replica shows everything before it."""
        self._skip_until = time.monotonic() + SKIP_SECONDS  # unless it answers
        cluster, position = _reached(session) or (0, 0)
        moments = (w.at for w in self._written if w.cluster == cluster and w.position <= position)
        shown = max(moments, default=_NEVER)
        self._skip_until = 0.0 if shown > _NEVER else time.monotonic() + ASK_SECONDS
        return shown


def _reached(session: Session) -> tuple[int, int] | None:
    """The replica's cluster and its position in it; None where it is no replica."""
    row = session.connection().exec_driver_sql(_REPLAYED).one_or_none()
    return None if row is None or row[1] is None else (row[0], int(row[1]))


@contextmanager
def _session(engine: Engine) -> Iterator[Session]:
    """Another `db.session` for the block, on this engine: the request's own never mixes what it
    holds with what a replica says."""
    registry: Any = db.session.registry
    own, other = registry(), Session(engine, expire_on_commit=False)
    registry.set(other)
    try:
        yield other
    finally:
        registry.set(own)
        try:
            other.close()
        except DBAPIError:  # died meanwhile; what was read is good
            other.invalidate()


def from_engines(engines: Mapping[str | None, Engine]) -> Replica | None:
    """The replica of an app with these engines; None where DATABASE_REPLICA_URL is not set."""
    if REPLICA not in engines:
        return None
    return Replica(engines[REPLICA], engines[WATCHED])


def _replica() -> Replica | None:
    replica: Replica | None = extension("replica")
    return replica

"""Holds a lock in the database, sends requests into it one after the other, and lets go."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg2.extensions

from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import Lane, Unheard
from tests.reliability.setting import PostgreSQLSetting

T = TypeVar("T")
VARIANT = "SELECT 1 FROM variants WHERE id = %(id)s FOR NO KEY UPDATE"
"""Keeps others from changing a variant's figures."""
VARIANT_KEY = "SELECT 1 FROM variants WHERE id = %(id)s FOR UPDATE"
"""Keeps others from referring to a variant, too."""
GATE = 20_261_130
"""The advisory lock for which the triggers of `gate` wait."""
PRODUCT = "SELECT 1 FROM products WHERE id = %(id)s FOR NO KEY UPDATE"
WAITING = """SELECT count(DISTINCT pid) FROM pg_locks
    WHERE NOT granted AND locktype IN ('transactionid', 'tuple', 'advisory')"""
"""Who waits for a row or at a gate; other locks are held for a moment only."""
SECONDS_TO_MEET = 4.0
"""The shop gives a lock up after five seconds."""
MOMENT = 0.15
"""Seconds in which an answer arrives that is sent already."""


class Hold:
    """A lock that is held, and the requests that were sent meanwhile."""

    def __init__(self, holder: Any, watcher: Any, threads: ThreadPoolExecutor) -> None:
        self._holder, self._watcher, self._threads = holder, watcher, threads
        self._sent: list[Future[Any]] = []
        self._others = self._waiting()

    def send(self, call: Callable[[], T], seconds: float = SECONDS_TO_MEET) -> "Future[T]":
        """Make a call, and come back when it waits for a lock, or is over.

        Raises:
            Unheard: it is neither, for too long.
        """
        future = self._threads.submit(call)
        self._sent.append(future)
        self.await_all(seconds)
        return future

    def await_all(self, seconds: float = SECONDS_TO_MEET) -> None:
        """Wait until everybody waits for a lock, or is over.

        Raises:
            Unheard: that takes too long.
        """
        expected = self._others + len(self._sent)
        deadline = time.monotonic() + seconds
        while self._waiting() + sum(one.done() for one in self._sent) < expected:
            if time.monotonic() > deadline:
                raise Unheard
            time.sleep(0.005)

    def query(self, statement: str, **values: Any) -> Any:
        """The first row of what others see at this moment."""
        self._watcher.execute(statement, values)
        return self._watcher.fetchone()

    def let_go(self) -> None:
        """Give the lock up: those who wait go on, in the order in which they came."""
        self._holder.rollback()
        with self._holder.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        self._holder.rollback()

    def _waiting(self) -> int:
        count: int = self.query(WAITING)[0]
        return count


@contextmanager
def hold(lane: Lane, statement: str, **values: Any) -> Iterator[Hold]:
    """Hold the lock that a statement takes, until the block lets go, or ends."""
    with _connection(lane) as holder, _connection(lane) as other, ThreadPoolExecutor(8) as threads:
        other.autocommit = True
        with holder.cursor() as cursor:
            cursor.execute(statement, values)
        held = Hold(holder, other.cursor(), threads)
        try:
            yield held
        finally:
            held.let_go()


@contextmanager
def gate(lane: Lane, table: str, at_commit: bool) -> Iterator[Hold]:
    """Keep everybody who inserts rows into a table waiting: at the insert, or only at the commit."""
    trigger = (
        f"CREATE CONSTRAINT TRIGGER gate AFTER INSERT ON {table} DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION pass_gate()"
        if at_commit
        else f"CREATE TRIGGER gate BEFORE INSERT ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION pass_gate()"
    )
    _run(
        lane,
        "CREATE OR REPLACE FUNCTION pass_gate() RETURNS trigger LANGUAGE plpgsql AS"
        f" 'BEGIN PERFORM pg_advisory_xact_lock({GATE}); RETURN NEW; END'",
        trigger,
    )
    try:
        with hold(lane, f"SELECT pg_advisory_lock({GATE})") as held:
            yield held
    finally:
        _run(lane, f"DROP TRIGGER gate ON {table}")


def meet(lane: Lane, statement: str, id_: int, *calls: Callable[[], Attempt]) -> list[Attempt]:
    """What the calls answer, each of which is made when those before it wait for the lock that the
    statement takes on the row with this id, or are over.

    Raises:
        Unheard: one has no answer, or a 503.
    """
    with hold(lane, statement, id=id_) as held:
        futures = [held.send(call) for call in calls]
        held.let_go()
        return [answered(future.result()) for future in futures]


def answered(attempt: Attempt) -> Attempt:
    """An attempt with an answer, even if it is a 500.

    Raises:
        Unheard: it has none, or a 503.
    """
    if attempt.status in (None, 503):
        raise Unheard
    return attempt


def _run(lane: Lane, *statements: str) -> None:
    with _connection(lane) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


@contextmanager
def _connection(lane: Lane) -> Iterator[psycopg2.extensions.connection]:
    setting = lane.stage.setting
    assert isinstance(setting, PostgreSQLSetting)
    connection = setting.connect()
    try:
        yield connection
    finally:
        connection.close()

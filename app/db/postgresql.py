"""What keeps a PostgreSQL that fell silent from keeping the shop waiting.

libpq waits for an answer without end: a server that is frozen, or cut off by the network, would hold
every thread until the kernel gives its connection up, a quarter of an hour later. psycopg2 lets us
do the waiting ourselves; where it fails, psycopg2 closes the connection, so that the pool drops it.
"""

import math
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
from flask import has_request_context
from psycopg2 import extensions
from sqlalchemy import Connection, Dialect, Engine, Pool, event
from sqlalchemy.exc import InvalidatePoolError

GREETING_SECONDS = 2.0
"""For a connection to be made, and for one from the pool to show that it lives."""
REQUEST_SECONDS = 8.0
"""For a statement while somebody waits; locks are given up after 5 s (`lock_timeout`)."""
BATCH_SECONDS = 25.0
"""For a statement of a command: more than `statement_timeout`, which a living server keeps."""
IDLE_SECONDS = 5.0
"""For how long a connection that hears nothing is taken for good; to ask it costs a round trip."""
HASTY_SECONDS = 0.4
"""For whatever is asked of a server that another one can stand in for: once, then that is asked."""


class PatientConnection(extensions.connection):
    """A connection that knows how long it may be silent, in seconds."""

    patience = GREETING_SECONDS
    is_greeted = True
    """Whether it is asked for a sign of life after a pause."""

    def __init__(self, *where: Any, **options: Any) -> None:
        super().__init__(*where, **options)
        self.prepared_names: set[str] = set()
        """Names of what was prepared on it (`app.db.prepared`)."""
        self.planned_at = -math.inf
        self.is_direct: bool | None = None
        """Whether nothing stands between it and the server; None until somebody looks."""

    def expect_greeting(self) -> None:
        """Until the next use the pool says no more than "SELECT 1"."""
        self.patience = GREETING_SECONDS

    def expect_work(self) -> None:
        """From here on it runs what a request or a command asks."""
        self.patience = REQUEST_SECONDS if has_request_context() else BATCH_SECONDS


class HastyConnection(PatientConnection):
    """A connection to a server that another one can stand in for, so that waiting is no use."""

    patience = HASTY_SECONDS
    is_greeted = False

    def expect_greeting(self) -> None:
        """As ever."""

    def expect_work(self) -> None:
        """As ever."""


def wait(connection: Any) -> None:
    """Wait until a statement is done; psycopg2's own `wait_select` with an end.

    Raises:
        psycopg2.OperationalError: not a byte came in all the time that the connection is given.
    """
    seconds = getattr(connection, "patience", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        awaited = select.POLLIN if state == extensions.POLL_READ else select.POLLOUT
        waiting = select.poll()
        waiting.register(connection.fileno(), awaited)
        if not waiting.poll(None if seconds is None else seconds * 1000):
            raise psycopg2.OperationalError(f"PostgreSQL was silent for {seconds} s.")


def may_copy() -> bool:
    """Whether COPY may be used: in commands, which have one thread, and never in requests.

    psycopg2 has one deadline for all threads. Taken off for a COPY, it would be gone from under
    the statements of the others, which then fail.
    """
    return not has_request_context()


@contextmanager
def without_deadline() -> Iterator[None]:
    """Let psycopg2 wait by itself, as COPY wants it; only where `may_copy` says so."""
    extensions.set_wait_callback(None)
    try:
        yield
    finally:
        extensions.set_wait_callback(wait)


extensions.set_wait_callback(wait)


@event.listens_for(Engine, "do_connect")
def _make_patient(
    dialect: Dialect, _record: Any, _arguments: Any, options: Mapping[str, Any]
) -> None:
    if dialect.name == "postgresql":
        options.setdefault("connection_factory", PatientConnection)  # type: ignore[attr-defined]


@event.listens_for(Pool, "checkout")
def _expect_work(connection: Any, record: Any, _proxy: Any) -> None:
    if isinstance(connection, PatientConnection):
        idle = time.monotonic() - record.info.get("returned", math.inf)
        if connection.is_greeted and (idle > IDLE_SECONDS or _has_news(connection)):
            _greet(connection)
        connection.expect_work()


def _has_news(connection: extensions.connection) -> bool:
    """Whether the server sent something unasked: mostly that it says good-bye."""
    news = select.poll()
    news.register(connection.fileno(), select.POLLIN)
    return bool(news.poll(0))


def _greet(connection: extensions.connection) -> None:
    """See that the server is still at the other end; else the pool makes a new connection."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error:
        raise InvalidatePoolError from None


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    """Statements that only read need no BEGIN and ROLLBACK around them, each a round trip.

    Said to the driver itself: SQLAlchemy would set an isolation level, which is another.
    """
    inner: Any = connection.connection.dbapi_connection
    options = connection.get_execution_options()
    if not isinstance(inner, PatientConnection) or "isolation_level" in options:
        return
    reads = options.get("shop_reads", False)
    if inner.autocommit != reads:
        inner.autocommit = reads


@event.listens_for(Pool, "checkin")
def _expect_greeting(connection: Any, record: Any) -> None:
    if isinstance(connection, PatientConnection):
        record.info["returned"] = time.monotonic()
        connection.expect_greeting()

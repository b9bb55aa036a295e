"""Time limits for PostgreSQL's answers, and reads without a transaction around each of them.

Problem: libpq waits for an answer without end. A server that is frozen, or cut off by the network,
would hold every thread until the kernel gives its connection up, a quarter of an hour later.

Solution: psycopg2 calls `wait` while a statement runs. It raises after the connection's time limit;
psycopg2 then closes the connection, so that the pool drops it.

Simpler but wrong: `statement_timeout` alone. A living server keeps it, a silent one does not.
"""

import math
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from flask import has_request_context
from psycopg2 import extensions
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry

from app.extensions import db

CONNECT_SECONDS = 2.0
"""For a connection to be made, and for a pooled one to answer a ping."""
REQUEST_SECONDS = 8.0
"""For a statement of a request; locks are given up after 5 s (`lock_timeout`)."""
BATCH_SECONDS = 25.0
"""For a statement of a command: more than `statement_timeout`, which a living server keeps."""
IDLE_SECONDS = 5.0
"""A pooled connection that was idle for longer is pinged, which costs a round trip."""
REPLICA_SECONDS = 0.4
"""For a statement on a replica: the primary answers instead."""


def is_postgresql() -> bool:
    """Whether the current app's database is PostgreSQL, not SQLite."""
    return db.engine.dialect.name == "postgresql"


class ShopConnection(extensions.connection):
    """A connection with a limit to the server's silence, in seconds, and its prepared statements."""

    max_silence: float | None = CONNECT_SECONDS
    is_pinged = True
    """Whether the pool pings it after a pause."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        self.prepared_names: set[str] = set()
        """The statements prepared on it (`app.db.prepared`)."""
        self.planned_at = -math.inf
        self.is_direct: bool | None = None
        """Whether it leads to one server process, without a pooler; None until it is checked."""

    def limit_ping(self) -> None:
        """Set the limit for a ping, which is the next thing that the pool may send."""
        self.max_silence = CONNECT_SECONDS

    def limit_statements(self) -> None:
        """Set the limit for the statements of a request or a command."""
        self.max_silence = REQUEST_SECONDS if has_request_context() else BATCH_SECONDS


class ReplicaConnection(ShopConnection):
    """A connection to a replica: its limit is short and never changes, and it is not pinged."""

    max_silence = REPLICA_SECONDS
    is_pinged = False

    def limit_ping(self) -> None:
        """Keep REPLICA_SECONDS."""

    def limit_statements(self) -> None:
        """Keep REPLICA_SECONDS."""


def install(engine: Engine) -> None:
    """Attach time limits, pings and reads without a transaction to an engine of PostgreSQL."""
    extensions.set_wait_callback(wait)  # psycopg2 has one for the whole process
    event.listen(engine, "do_connect", _set_connection_class)
    event.listen(engine, "checkout", _prepare_for_use)
    event.listen(engine, "checkin", _prepare_for_pause)
    event.listen(engine, "begin", _set_autocommit)


def wait(connection: Any) -> None:
    """Wait until a statement is done; psycopg2's own `wait_select` with a time limit.

    Raises:
        psycopg2.OperationalError: nothing was received for `max_silence` seconds.
    """
    seconds = getattr(connection, "max_silence", None)
    while (state := connection.poll()) != extensions.POLL_OK:
        poll = select.poll()
        poll.register(
            connection.fileno(), select.POLLIN if state == extensions.POLL_READ else select.POLLOUT
        )
        if not poll.poll(None if seconds is None else seconds * 1000):
            raise psycopg2.OperationalError(f"PostgreSQL was silent for {seconds} s.")


def may_copy() -> bool:
    """Whether COPY may be used: in commands, which have one thread, and never in requests.

    psycopg2 has one wait callback for all threads. Without it, which COPY needs, the statements of
    the other threads fail.
    """
    return not has_request_context()


@contextmanager
def without_deadline() -> Iterator[None]:
    """Let psycopg2 wait without a limit, as COPY needs it; only where `may_copy` allows it."""
    callback = extensions.get_wait_callback()
    extensions.set_wait_callback(None)
    try:
        yield
    finally:
        extensions.set_wait_callback(callback)


def _set_connection_class(
    _dialect: object, _record: object, _arguments: object, options: dict[str, object]
) -> None:
    options.setdefault("connection_factory", ShopConnection)


def _prepare_for_use(
    connection: ShopConnection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    idle = time.monotonic() - record.info.get("returned_at", math.inf)
    if connection.is_pinged and (idle > IDLE_SECONDS or _has_unread_data(connection)):
        _ping(connection)
    connection.limit_statements()


def _prepare_for_pause(connection: ShopConnection | None, record: ConnectionPoolEntry) -> None:
    if connection is not None:  # None after it was invalidated
        record.info["returned_at"] = time.monotonic()
        connection.limit_ping()


def _has_unread_data(connection: ShopConnection) -> bool:
    """Whether the server sent something unasked, which mostly says that it closes the connection."""
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _ping(connection: ShopConnection) -> None:
    """Raises: InvalidatePoolError where the server does not answer; the pool then reconnects."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        connection.rollback()
    except psycopg2.Error:
        raise InvalidatePoolError from None


def _set_autocommit(connection: Connection) -> None:
    """Spare statements that only read BEGIN and ROLLBACK, each of which is a round trip.

    The driver's attribute is set, not SQLAlchemy's isolation level, which the pool takes back.
    """
    options = connection.get_execution_options()
    inner = connection.connection.dbapi_connection
    if not isinstance(inner, ShopConnection) or "isolation_level" in options:
        return
    is_read = options.get("shop_reads", False)
    if inner.autocommit != is_read:
        inner.autocommit = is_read

"""Counts statements and connections of the database, and logs slow statements.

The log has a statement's text, with placeholders instead of values: nobody's data gets into it.
"""

import logging
import time
from functools import partial
from typing import cast

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection, QueuePool

from app.observability import metrics, request_stats

SLOW_SECONDS = "shop_slow_seconds"
"""The option of an engine that says from when on a statement is slow; 0 for never."""
NEVER_SLOW_SECONDS = 0.001
"""Quicker statements are not compared with the option."""
LONGEST_TEXT = 2000

log = logging.getLogger(__name__)
# SQLAlchemy's pools log under their class's name, which would log INFO lines at each `dispose`.
logging.getLogger(f"{__name__}.WatchedPool").setLevel(logging.WARNING)


class WatchedPool(QueuePool):
    """A pool that counts the requests that wait for a connection, mostly as all are in use."""

    def connect(self) -> PoolProxiedConnection:
        """A connection, once one is free."""
        metrics.change_connections("waiting", 1)
        try:
            return super().connect()
        finally:
            metrics.change_connections("waiting", -1)


def install(engine: Engine) -> None:
    """Watch an engine's statements, and the connections of a WatchedPool."""
    event.listen(engine, "before_cursor_execute", _begin)
    event.listen(engine, "after_cursor_execute", _end)
    event.listen(engine, "handle_error", _fail)
    if isinstance(engine.pool, WatchedPool):
        event.listen(engine, "connect", partial(_count_open, 1))
        event.listen(engine, "close", partial(_count_open, -1))
        event.listen(engine, "checkout", _count_use)
        event.listen(engine, "checkin", _count_return)


def _begin(*_arguments: object) -> None:
    request_stats.current.statement_began = time.perf_counter()


def _end(connection: Connection, _cursor: object, statement: str, *_others: object) -> None:
    _count(connection.engine, statement)


def _fail(failure: ExceptionContext) -> None:
    if failure.statement is not None and failure.engine is not None:
        _count(failure.engine, failure.statement)


def _count(engine: Engine, statement: str) -> None:
    request = request_stats.current
    seconds = time.perf_counter() - request.statement_began
    request.statements += 1
    request.seconds += seconds
    if seconds > NEVER_SLOW_SECONDS:
        slow = engine.get_execution_options().get(SLOW_SECONDS, 0)
        if 0 < slow <= seconds:
            _log_slow(statement, seconds)


def _log_slow(statement: str, seconds: float) -> None:
    metrics.shop.slow_statements.inc()
    text = " ".join(statement.split())[:LONGEST_TEXT]
    fields = {"ms": round(seconds * 1000, 1), "statement": text}
    log.warning("Slow statement, %(ms)s ms: %(statement)s", fields, extra={"fields": fields})


def _count_open(change: int, _connection: object, _record: object) -> None:
    metrics.change_connections("open", change)


def _count_use(_connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    _info(record)["in_use"] = True
    metrics.change_connections("in_use", 1)


def _count_return(_connection: object, record: ConnectionPoolEntry) -> None:
    # A connection that failed before it was handed out comes back, too.
    if _info(record).pop("in_use", False):
        metrics.change_connections("in_use", -1)


def _info(record: ConnectionPoolEntry) -> dict[str, bool]:
    return cast(dict[str, bool], record.record_info)

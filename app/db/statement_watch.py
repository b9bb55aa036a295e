"""Watches the database's statements and connections: how many, how long, and which were slow.

A slow statement is logged with its text, which has placeholders where the values stand, so that
nobody's data gets into the log.
"""

import logging
import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.pool import PoolProxiedConnection, QueuePool

from app.observability import metrics, request_stats

SLOW_SECONDS = "shop_slow_seconds"
"""The option of an engine that says from when on a statement is slow; 0 for never."""
NEVER_SLOW_SECONDS = 0.001
"""Whatever is quicker is not compared with the option."""
LONGEST_TEXT = 2000

log = logging.getLogger(__name__)
# Each class of pools logs under its own name, at INFO whenever it is made anew.
logging.getLogger(f"{__name__}.WatchedPool").setLevel(logging.WARNING)


class WatchedPool(QueuePool):
    """A pool that tells how many are asking for a connection: mostly because all are in use."""

    def connect(self) -> PoolProxiedConnection:
        """A connection, once there is one."""
        metrics.connections_changed("waiting", 1)
        try:
            return super().connect()
        finally:
            metrics.connections_changed("waiting", -1)


@event.listens_for(Engine, "before_cursor_execute")
def _begin(*_facts: Any) -> None:
    request_stats.now.asked = time.perf_counter()


@event.listens_for(Engine, "after_cursor_execute")
def _end(connection: Any, _cursor: Any, statement: str, *_facts: Any) -> None:
    _note(connection.engine, statement)


@event.listens_for(Engine, "handle_error")
def _fail(failure: ExceptionContext) -> None:
    if failure.statement is not None and failure.engine is not None:
        _note(failure.engine, failure.statement)


def _note(engine: Engine, statement: str) -> None:
    request = request_stats.now
    seconds = time.perf_counter() - request.asked
    request.statements += 1
    request.seconds += seconds
    if seconds > NEVER_SLOW_SECONDS:
        slow = engine.get_execution_options().get(SLOW_SECONDS, 0)
        if 0 < slow <= seconds:
            _report(statement, seconds)


def _report(statement: str, seconds: float) -> None:
    metrics.statement_was_slow()
    told = " ".join(statement.split())[:LONGEST_TEXT]
    facts = {"ms": round(seconds * 1000, 1), "statement": told}
    log.warning("Slow statement, %(ms)s ms: %(statement)s", facts, extra={"facts": facts})


@event.listens_for(WatchedPool, "connect")
def _opened(_connection: Any, _record: Any) -> None:
    metrics.connections_changed("open", 1)


@event.listens_for(WatchedPool, "close")
def _closed(_connection: Any, _record: Any) -> None:
    metrics.connections_changed("open", -1)


@event.listens_for(WatchedPool, "checkout")
def _taken(_connection: Any, record: Any, _proxy: Any) -> None:
    record.record_info["in_use"] = True
    metrics.connections_changed("in_use", 1)


@event.listens_for(WatchedPool, "checkin")
def _returned(_connection: Any, record: Any) -> None:
    # One that failed before it was handed out comes back as well.
    if record.record_info.pop("in_use", False):
        metrics.connections_changed("in_use", -1)

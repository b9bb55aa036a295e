"""Figures of the request that a thread serves: its statements, its cache lookup, its refusal."""

import threading
from typing import Any


class RequestStats(threading.local):
    """Figures of one request; a thread serves one request at a time."""

    statements = 0
    seconds = 0.0
    """Spent waiting for statements."""
    statement_began = 0.0
    """When the last statement was sent, by `time.perf_counter`."""
    cache = ""
    """The outcome of the last cache lookup: `hit`, `miss` or `away`; empty without one."""
    refusal = ""
    """The code of the problem that is the answer; empty for other answers."""
    span: Any = None  # OpenTelemetry, whose span this is, is not a dependency
    """The trace of the last statement, where statements are traced."""
    is_open = False
    """Whether the request is counted among those in flight."""

    def begin(self) -> None:
        """Start counting for a new request."""
        self.statements = 0
        self.seconds = 0.0
        self.cache = ""
        self.refusal = ""


current = RequestStats()

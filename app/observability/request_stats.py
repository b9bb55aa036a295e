"""What one request did so far: its statements, and what the cache said. One request a thread."""

import threading
from typing import Any


class Tally(threading.local):
    """Figures of the request that this thread serves; begun anew with each one."""

    statements = 0
    seconds = 0.0
    """Spent waiting for statements."""
    asked = 0.0
    """When the last statement was sent, as `time.perf_counter` counts."""
    cache = ""
    """What the last look into the cache came to: `hit`, `miss` or `away`; empty without one."""
    refusal = ""
    """The code of the problem that the request is answered with; empty where it is none."""
    span: Any = None
    """The trace of the last statement, where there are traces."""
    is_open = False
    """Whether the request is still counted among those under way."""

    def begin(self) -> None:
        """Forget the request before."""
        self.statements = 0
        self.seconds = 0.0
        self.cache = ""
        self.refusal = ""


now = Tally()

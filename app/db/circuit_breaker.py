"""A circuit breaker: while a server does not answer, requests do not wait for it."""

import threading
import time

SKIP_SECONDS = 1.0
"""How long a server is not called after a failure."""


class CircuitBreaker:
    """Stops calling a server for `SKIP_SECONDS` after a failure.

    After that time one caller tries again. The others go on without the server until that caller
    reports success, or for another `SKIP_SECONDS`.
    """

    def __init__(self) -> None:
        self.is_open = False
        self._skip_until = 0.0
        self._lock = threading.Lock()

    def allows_call(self) -> bool:
        """Whether the server may be called now. The caller reports how the call ended."""
        if not self.is_open:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._skip_until:
                return False
            self._skip_until = now + SKIP_SECONDS
            return True

    def record_failure(self) -> bool:
        """Open the breaker; whether it was closed before."""
        with self._lock:
            was_closed = not self.is_open
            self.is_open, self._skip_until = True, time.monotonic() + SKIP_SECONDS
            return was_closed

    def record_success(self) -> bool:
        """Close the breaker; whether it was open before."""
        if not self.is_open:
            return False
        with self._lock:
            was_open, self.is_open = self.is_open, False
            return was_open

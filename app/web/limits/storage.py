"""Where the rate limits count: in Redis, or in this process while Redis does not answer."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from limits.storage import MemoryStorage, RedisStorage
from redis import RedisError

from app.db.circuit_breaker import CircuitBreaker

log = logging.getLogger(__name__)
T = TypeVar("T")


class ProcessStorage(MemoryStorage):
    """Counts in this process; a clock that is set back does not make a window last longer."""

    STORAGE_SCHEME = ["shop+memory"]

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add `amount`, and return the count of the current window."""
        if self.get_expiry(key) > time.time() + expiry:
            self.clear(key)
        return super().incr(key, expiry, amount)


class RedisOrProcessStorage(RedisStorage):
    """Counts in Redis; after a failure in this process, until Redis answers again.

    Flask-Limiter's own fallback calls a dead Redis twice in one request, waits up to 32 s before
    it calls it again, and fails the requests of other threads that are under way at that moment.
    """

    STORAGE_SCHEME = ["shop+redis", "shop+rediss", "shop+unix"]

    def __init__(self, uri: str, **options: Any) -> None:
        self._process = ProcessStorage()
        self._breaker = CircuitBreaker()
        super().__init__(uri.removeprefix("shop+"), **options)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add `amount`, and return the count of the current window."""
        return self._call(
            partial(super().incr, key, expiry, amount),
            partial(self._process.incr, key, expiry, amount),
        )

    def get(self, key: str) -> int:
        """The count of the current window."""
        return self._call(partial(super().get, key), partial(self._process.get, key))

    def get_expiry(self, key: str) -> float:
        """When the current window ends, in seconds since 1970."""
        return self._call(partial(super().get_expiry, key), partial(self._process.get_expiry, key))

    def _call(self, in_redis: Callable[[], T], in_process: Callable[[], T]) -> T:
        if not self._breaker.allows_call():
            return in_process()
        try:
            answer = in_redis()
        except RedisError as error:
            if self._breaker.record_failure():
                reason = type(error).__name__
                log.warning("Rate limits are counted in this process now: %s.", reason)
            return in_process()
        if self._breaker.record_success():
            log.warning("Rate limits are counted in Redis now.")
        return answer

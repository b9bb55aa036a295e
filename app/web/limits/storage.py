"""Where the rate limits count: Redis, or this process while Redis does not answer."""

import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from limits.storage import MemoryStorage, RedisStorage
from redis import RedisError

SKIP_SECONDS = 1.0
"""How long a Redis that failed is left alone."""
log = logging.getLogger(__name__)
T = TypeVar("T")


class Memory(MemoryStorage):
    """Counts in this process; a clock that is set back does not make a window last longer."""

    STORAGE_SCHEME = ["shop+memory"]

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count, and say how many there are in this window."""
        if self.get_expiry(key) > time.time() + expiry:
            self.clear(key)
        return super().incr(key, expiry, amount)


class RedisElseMemory(RedisStorage):
    """Counts in Redis; after a failure in memory, until Redis answers again.

    Flask-Limiter's own fallback asks a dead Redis twice in one request, forgets for up to 32 s to
    ask it again, and fails the requests of other threads that are under way at that moment.
    """

    STORAGE_SCHEME = ["shop+redis", "shop+rediss", "shop+unix"]

    def __init__(self, uri: str, **options: Any) -> None:
        self._memory = Memory()
        self._failing = False
        self._skip_until = 0.0
        super().__init__(uri.removeprefix("shop+"), **options)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and say how many there are in this window."""
        return self._ask(
            partial(super().incr, key, expiry, amount),
            partial(self._memory.incr, key, expiry, amount),
        )

    def get(self, key: str) -> int:
        """How many there are in this window."""
        return self._ask(partial(super().get, key), partial(self._memory.get, key))

    def get_expiry(self, key: str) -> float:
        """When this window ends, in seconds since 1970."""
        return self._ask(partial(super().get_expiry, key), partial(self._memory.get_expiry, key))

    def _ask(self, redis: Callable[[], T], memory: Callable[[], T]) -> T:
        if time.monotonic() < self._skip_until:
            return memory()
        if self._failing:  # one request at a time finds out whether it is back
            self._skip_until = time.monotonic() + SKIP_SECONDS
        try:
            answer = redis()
        except RedisError as error:
            self._note(failing=True, why=f": {type(error).__name__}")
            self._skip_until = time.monotonic() + SKIP_SECONDS
            return memory()
        self._note(failing=False)
        self._skip_until = 0.0
        return answer

    def _note(self, failing: bool, why: str = "") -> None:
        if failing != self._failing:
            self._failing = failing
            where = "in this process" if failing else "in Redis"
            log.warning("Rate limits are counted %s now%s.", where, why)

"""What one process keeps to itself for a moment, and how its threads share the making of it."""

import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

OVERHEAD_BYTES = 1000
"""What keeping a thing takes besides the thing."""
Kept = dict[Hashable, tuple[float, Any]]


class Began(NamedTuple):
    """When the making of a thing began, and what was kept then."""

    at: float
    kept: Kept


@dataclass
class LocalCache:
    """Things of a known size, each for `seconds` after its making began."""

    seconds: float
    max_bytes: int
    cleared: float = float("-inf")
    """When everything was last forgotten on purpose."""
    _kept: Kept = field(default_factory=dict)
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable) -> Any:
        """What is kept under the key and young enough, else None."""
        began, thing = self._kept.get(key, (0.0, None))
        return thing if time.monotonic() - began < self.seconds else None

    def begin(self) -> Began:
        """To be called before the making of what is then `put`."""
        return Began(time.monotonic(), self._kept)

    def put(self, key: Hashable, thing: Any, size: int, began: Began) -> None:
        """Keep it, unless all was forgotten since it began to be made."""
        with self._lock:
            if began.kept is not self._kept:
                return
            if self._bytes + size > self.max_bytes:
                self._forget()
            # An old one under the same key goes on being counted until all are forgotten.
            self._bytes += size + OVERHEAD_BYTES
            self._kept[key] = (began.at, thing)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.cleared = time.monotonic()
            self._forget()

    def _forget(self) -> None:
        self._kept, self._bytes = {}, 0


class Gates:
    """Let one thread make a thing while others who want the same wait, instead of making it too."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._locks = tuple(threading.Lock() for _ in range(64))

    @contextmanager
    def alone(self, key: Hashable) -> Iterator[None]:
        """Wait for whoever makes it now, but no longer than `seconds`: they may be stuck."""
        lock = self._locks[hash(key) % len(self._locks)]
        entered = lock.acquire(timeout=self._seconds)
        try:
            yield
        finally:
            if entered:
                lock.release()

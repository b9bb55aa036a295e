"""What one process caches in memory for a moment, and how its threads share the work of building it."""

import threading
import time
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

OVERHEAD_BYTES = 1000
"""What storing a value takes besides the value."""
V = TypeVar("V")


class Build(NamedTuple):
    """When the building of a value began (`time.monotonic`), and how often the cache had been
    emptied by then."""

    began_at: float
    generation: int


@dataclass
class LocalCache(Generic[V]):
    """Values of a stated size, each for `seconds` from the moment when its building began."""

    seconds: float
    max_bytes: int
    cleared_at: float = float("-inf")
    """When `clear` was last called."""
    _values: dict[Hashable, tuple[float, V]] = field(default_factory=dict)
    _bytes: int = 0
    _generation: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, key: Hashable) -> V | None:
        """The value under the key, None if there is none or it is too old."""
        began_at, value = self._values.get(key, (0.0, None))
        return value if time.monotonic() - began_at < self.seconds else None

    def begin(self) -> Build:
        """Call this before building the value that is then passed to `put`."""
        return Build(time.monotonic(), self._generation)

    def put(self, key: Hashable, value: V, size: int, build: Build) -> None:
        """Store a value, unless the cache was emptied after its building began."""
        with self._lock:
            if build.generation != self._generation:
                return
            if self._bytes + size > self.max_bytes:
                self._empty()
            # The value that this one replaces stays in the sum until the cache is emptied.
            self._bytes += size + OVERHEAD_BYTES
            self._values[key] = (build.began_at, value)

    def clear(self) -> None:
        """Remove everything."""
        with self._lock:
            self.cleared_at = time.monotonic()
            self._empty()

    def _empty(self) -> None:
        self._values, self._bytes = {}, 0
        self._generation += 1


class SingleFlight:
    """Lets one thread build a value while others that need the same value wait for it."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._locks = tuple(threading.Lock() for _ in range(64))

    @contextmanager
    def enter(self, key: Hashable) -> Iterator[None]:
        """Wait for the thread that builds this key's value, at most `seconds`: it may be stuck."""
        lock = self._locks[hash(key) % len(self._locks)]
        is_held = lock.acquire(timeout=self._seconds)
        try:
            yield
        finally:
            if is_held:
                lock.release()

"""What every client saw: each attempt with what was asked, when, and what came back."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Outcome = Literal["ok", "refused", "unknown"]


@dataclass(frozen=True)
class Attempt:
    """One request, as its sender saw it."""

    operation: str
    """What it was for, as `place_order`, `cancel`, `add_item`, `change_price`."""
    user: str
    """The label of the person who sent it, as `shopper-12`; equal for all that share a cart."""
    method: str
    path: str
    key: str | None
    """The Idempotency-Key sent along."""
    body: Any
    start: float
    """When it was sent, in seconds of the run's clock (monotonic, one for all threads)."""
    end: float
    status: int | None
    """None where no whole answer came: a timeout, a reset, a refused connection."""
    answer: Any = None
    """The body, parsed; None where there is none."""
    raw: bytes = b""
    """The body as it came, for replays that have to be equal."""
    replayed: bool = False
    """Whether `Idempotency-Replayed: true` came with it."""
    about: dict[str, Any] = field(default_factory=dict)
    """What the checker needs to know and the request does not say."""

    @property
    def outcome(self) -> Outcome:
        """2xx is ok, 4xx refused; a 5xx or no answer leaves unknown whether it was done."""
        if self.status is None or self.status >= 500:
            return "unknown"
        return "ok" if self.status < 400 else "refused"


class History:
    """All attempts of a run; any number of threads append."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._attempts: list[Attempt] = []
        self._under_way = 0

    @property
    def in_flight(self) -> int:
        """How many requests are under way at this moment."""
        return self._under_way

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count one request as being in flight, until its answer is there or given up."""
        with self._lock:
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def append(self, attempt: Attempt) -> None:
        """Add an attempt whose answer came, or will not come any more."""
        with self._lock:
            self._attempts.append(attempt)

    def __iter__(self) -> Iterator[Attempt]:
        """The attempts in the order of their starts."""
        with self._lock:
            return iter(sorted(self._attempts, key=lambda attempt: attempt.start))

    def __len__(self) -> int:
        with self._lock:
            return len(self._attempts)

    def of(self, *operations: str) -> list[Attempt]:
        """The attempts of these operations, in the order of their starts."""
        return [attempt for attempt in self if attempt.operation in operations]

    def write(self, path: Path) -> None:
        """Store one JSON object a line, to look into after a violation."""
        with path.open("w", encoding="utf-8") as lines:
            for attempt in self:
                facts = asdict(attempt) | {"raw": attempt.raw.decode("utf-8", "replace")}
                lines.write(json.dumps(facts, default=str) + "\n")

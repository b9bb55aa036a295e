"""What a run can be found guilty of."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.reliability.history import Attempt


@dataclass(frozen=True)
class Violation:
    """Something that must never be, with the attempts that show it."""

    name: str
    """One of a fixed set of words, as `order_lost`."""
    detail: str
    attempts: Sequence[Attempt] = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.detail}"

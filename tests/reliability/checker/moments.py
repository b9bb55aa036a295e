"""When something may have happened: the span of time that the clients' clocks leave open.

Soundness. A request is carried out after it was sent and, if its answer came, before the answer
came; both moments are the client's, by one clock. So whatever an answered attempt did, it did
within `[start, end]`. A 5xx is an answer too: it may have been done, but not later. A lost answer
says nothing about the end: a request may sit in a queue while its sender has given up. `linger`
bounds for how long. It is far above every limit that the shop works under: its statements, locks
and pools give up after 20 s at most, and a worker that stops listening takes its queue along.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from tests.reliability.history import Attempt


@dataclass(frozen=True)
class Window:
    """Something happened once, not before `earliest` and not after `latest`."""

    earliest: float = -math.inf
    latest: float = math.inf


ALWAYS = Window()


def last_moment(attempt: Attempt, linger: float) -> float:
    """After this the attempt can no longer take effect."""
    return attempt.end + linger if attempt.status is None else attempt.end


def window_of(attempts: Iterable[Attempt], linger: float) -> Window:
    """When one thing was done that any of these asked for, and that happens only once.

    One that was acknowledged is the doer, or (a replay) came after the deed: either way it was
    done by its end. None did it before the first of them was sent.
    """
    asked = [attempt for attempt in attempts if attempt.outcome != "refused"]
    if not asked:
        return ALWAYS
    acknowledged = [attempt for attempt in asked if attempt.outcome == "ok"]
    doers = [attempt for attempt in acknowledged if not attempt.replayed]
    return Window(
        min(attempt.start for attempt in doers or asked),
        min(
            (attempt.end for attempt in acknowledged),
            default=max(last_moment(attempt, linger) for attempt in asked),
        ),
    )


class Timeline:
    """Steps that follow one another for certain, each with the window in which it was taken.

    `possible(a, b)` gives how many steps may have been taken at some moment within `[a, b]`.

    Soundness: a step comes after all those before it, and before all those after it; so its
    earliest moment is at least theirs, and its latest at most theirs. With that done both limits
    only rise along the line, and two binary searches answer: steps whose latest moment lies
    before `a` have been taken by then, steps whose earliest lies after `b` have not.
    """

    def __init__(self, windows: Iterable[Window]) -> None:
        given = list(windows)
        self._earliest = list(accumulate((window.earliest for window in given), max))
        self._latest = list(accumulate((window.latest for window in reversed(given)), min))[::-1]

    def contradictions(self) -> list[int]:
        """The steps for which no moment is left, counted from 0."""
        pairs = zip(self._earliest, self._latest, strict=True)
        return [index for index, (earliest, latest) in enumerate(pairs) if earliest > latest]

    def possible(self, start: float, end: float) -> tuple[int, int]:
        """The least and the greatest number of steps that may have been taken within the span."""
        return bisect_left(self._latest, start), bisect_right(self._earliest, end)


@dataclass(frozen=True)
class Written:
    """A value that was written once, within a window."""

    value: int
    window: Window
    is_certain: bool
    """Whether it was written at all for sure."""


class Register:
    """A value that is overwritten now and then, such as a price.

    Soundness: a value that is read within `[a, b]` was written, at a moment not after `b`, and
    is not overwritten before `a`. It is overwritten for certain only by a write that surely
    happened, wholly after the value's own window, and wholly before `a`. Every other case is let
    pass.
    """

    def __init__(self, initial: int | None, writes: Iterable[Written]) -> None:
        first = [] if initial is None else [Written(initial, Window(-math.inf, -math.inf), True)]
        all_writes = sorted([*first, *writes], key=lambda write: write.window.earliest)
        certain = sorted((w.window for w in all_writes if w.is_certain), key=lambda w: w.latest)
        self._ends = [window.latest for window in certain]
        self._starts = list(accumulate((window.earliest for window in certain), max))
        self._begun: dict[int, list[float]] = {}
        self._until: dict[int, list[float]] = {}
        for write in all_writes:
            self._begun.setdefault(write.value, []).append(write.window.earliest)
            until = self._until.setdefault(write.value, [])
            until.append(max(write.window.latest, until[-1] if until else -math.inf))

    def may_hold(self, value: int, start: float, end: float) -> bool:
        """Whether the value may have been in force at some moment within the span."""
        written = bisect_right(self._begun.get(value, []), end)
        if not written:
            return False
        over = bisect_left(self._ends, start)
        overwritten_from = self._starts[over - 1] if over else -math.inf
        return self._until[value][written - 1] >= overwritten_from

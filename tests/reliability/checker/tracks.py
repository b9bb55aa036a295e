"""The stock of each variant as the ledger tells it: state after state, and when each was reached."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from tests.reliability.checker.moments import ALWAYS, Timeline, Window, last_moment
from tests.reliability.checker.stories import Story
from tests.reliability.facts import WorldFacts
from tests.reliability.history import Attempt
from tests.reliability.ledgers import Books, Movement

Figures = tuple[int, int]
"""On hand, allocated."""


@dataclass
class Track:
    """One variant's way through its states.

    Soundness: a variant's row is locked for every movement, and movements are numbered under that
    lock, so they were committed in the order of their ids. A reader sees the state after some
    number of them. The window of a movement is that of the deed that it belongs to: of placing,
    cancelling or shipping an order, or of an adjustment.
    """

    variant_id: int
    movements: Sequence[Movement]
    """Since the run began."""
    states: Sequence[Figures]
    """The first is that of the start; one more than there are movements."""
    timeline: Timeline
    _by_figures: dict[Figures, list[int]] = field(default_factory=lambda: defaultdict(list))
    _by_available: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for index, (on_hand, allocated) in enumerate(self.states):
            self._by_figures[on_hand, allocated].append(index)
            self._by_available[on_hand - allocated].append(index)

    @property
    def least_available(self) -> int:
        """There were never fewer to be had."""
        return min(self._by_available)

    def may_show(self, figures: Figures, start: float, end: float) -> bool:
        """Whether on hand and allocated may have been these at some moment within the span."""
        return self._is_among(self._by_figures.get(figures, ()), start, end)

    def may_have_available(self, units: int, start: float, end: float) -> bool:
        """Whether so many could be had at some moment within the span."""
        return self._is_among(self._by_available.get(units, ()), start, end)

    def _is_among(self, indices: Sequence[int], start: float, end: float) -> bool:
        least, most = self.timeline.possible(start, end)
        first = bisect_left(indices, least)
        return first < len(indices) and indices[first] <= most


def tracks_of(
    books: Books,
    facts: WorldFacts,
    stories: Mapping[int, Story],
    adjustments: Sequence[Attempt],
) -> dict[int, Track]:
    """The track of each variant that the facts know."""
    by_variant: dict[int, list[Movement]] = defaultdict(list)
    for movement in books.movements:
        by_variant[movement.variant_id].append(movement)
    deeds = _Deeds(stories, adjustments, facts.linger)
    found = {}
    for variant_id, on_hand in facts.on_hand.items():
        rows = without_opening(by_variant[variant_id], on_hand)
        states = accumulate(
            ((row.on_hand, row.allocated) for row in rows),
            lambda now, moved: (now[0] + moved[0], now[1] + moved[1]),
            initial=(on_hand, 0),
        )
        windows = [deeds.window_of(row) for row in rows]
        found[variant_id] = Track(variant_id, rows, list(states), Timeline(windows))
    return found


def without_opening(rows: Sequence[Movement], on_hand: int) -> Sequence[Movement]:
    """The movements of the run itself: without those that brought in what it started with."""
    sums = accumulate((row.on_hand for row in rows), initial=0)
    opening = next((index for index, total in enumerate(sums) if total == on_hand), 0)
    return rows[opening:]


class _Deeds:
    """The windows of all that moves stock. Movements have to be asked for in the order of ids."""

    def __init__(
        self, stories: Mapping[int, Story], adjustments: Sequence[Attempt], linger: float
    ) -> None:
        self._stories = stories
        by_what = defaultdict(list)
        for attempt in adjustments:
            if attempt.outcome != "refused":
                by_what[what_it_adjusts(attempt)].append(attempt)
        self._windows = {
            what: list(_one_after_the_other(attempts, linger)) for what, attempts in by_what.items()
        }
        self._taken: Counter[tuple[int, int, str]] = Counter()

    def window_of(self, movement: Movement) -> Window:
        """When the movement was committed; ALWAYS for one that nobody asked for."""
        if movement.order_id is not None:
            return self._step_of(movement)
        what = (movement.variant_id, movement.on_hand, movement.reason)
        windows, taken = self._windows.get(what, []), self._taken[what]
        self._taken[what] += 1
        return windows[taken] if taken < len(windows) else ALWAYS

    def _step_of(self, movement: Movement) -> Window:
        status = (
            "pending" if movement.allocated > 0 else "shipped" if movement.on_hand else "cancelled"
        )
        story = self._stories.get(movement.order_id or 0)
        steps: Iterable[Window] = (
            step.window for step in (story.steps if story else ()) if step.event.status == status
        )
        return next(iter(steps), ALWAYS)


def what_it_adjusts(attempt: Attempt) -> tuple[int, int, str]:
    """What a movement that came of this adjustment looks like: variant, delta, reason."""
    about = attempt.about
    return about["variant_id"], about["delta"], attempt.body["reason"]


def _one_after_the_other(attempts: Sequence[Attempt], linger: float) -> Iterator[Window]:
    """Windows of the first, the second, … of movements that look alike.

    Nobody knows which of the attempts made which, but the n-th was not there before n of them had
    been sent, and was there when n of them had been acknowledged. (By convention reasons are
    unique, and then there is one attempt, and one movement.)
    """
    starts = sorted(attempt.start for attempt in attempts)
    ends = sorted(attempt.end for attempt in attempts if attempt.outcome == "ok")
    latest = max(last_moment(attempt, linger) for attempt in attempts)
    for index, start in enumerate(starts):
        yield Window(start, ends[index] if index < len(ends) else latest)

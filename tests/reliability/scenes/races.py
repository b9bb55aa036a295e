"""Races: two things that cannot both be first, a thousand times each, with one right outcome."""

import random
from collections.abc import Iterator

from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.cart_races import edit_or_checkout, merge_or_checkout
from tests.reliability.scenes.lane import FalseStart, Lane, Race
from tests.reliability.scenes.order_races import (
    cancel_twice,
    last_unit,
    price_or_checkout,
    status_or_cancel,
)
from tests.reliability.scenes.session_races import PARALLEL, refresh_at_once
from tests.reliability.scenes.stage import in_turns, on_stage, server_errors, size
from tests.reliability.setting import Setting
from tests.reliability.violation import Violation

PAIRS = 1_000
"""Races of each kind; refreshes come fifty at a time."""
LANES = 8
"""Races that are run at the same time, each with people and goods of its own."""
RACES: dict[Race, int] = {
    last_unit: PAIRS,
    cancel_twice: PAIRS,
    edit_or_checkout: PAIRS,
    merge_or_checkout: PAIRS,
    status_or_cancel: PAIRS,
    price_or_checkout: PAIRS,
    refresh_at_once: PAIRS // PARALLEL,
}


def run(setting: Setting, history: History, rng: random.Random, scale: float) -> Report:
    """Every race ends in what one order of its two gives, and never in a server error."""
    with on_stage(setting, history, rng) as stage:
        lanes = [Lane(stage) for _ in range(LANES)]
        stage.owner.history = history
        kinds = [race for race, times in RACES.items() for _ in range(size(times, scale))]
        rng.shuffle(kinds)
        shares = [kinds[index::LANES] for index in range(LANES)]
        found = in_turns(
            [lambda lane=lane, share=share: list(_run(lane, share))
             for lane, share in zip(lanes, shares, strict=True)],
            LANES,
        )  # fmt: skip
        violations = [violation for some in found for violation in some]
        return Report({"races": len(kinds)}, [*violations, *server_errors(history)])


def _run(lane: Lane, races: list[Race]) -> Iterator[Violation]:
    """One race after the other; a false start ends the lane, whose state nobody knows then."""
    for race in races:
        try:
            wrong = race(lane)
        except FalseStart as start:
            yield Violation("false_start", f"{race.__name__}: {start}")
            return
        if wrong:
            yield Violation(race.__name__, wrong)

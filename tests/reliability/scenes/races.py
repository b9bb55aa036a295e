"""Races: two things that cannot both be first, a thousand times each, with one right outcome."""

import random
from collections.abc import Iterator

from tests.reliability.history import History
from tests.reliability.scenes import Report
from tests.reliability.scenes.cart_races import edit_or_checkout, merge_or_checkout
from tests.reliability.scenes.lane import FalseStart, Lane, Race, Unheard
from tests.reliability.scenes.order_races import (
    cancel_twice,
    last_unit,
    price_or_checkout,
    status_or_cancel,
)
from tests.reliability.scenes.session_races import PARALLEL, refresh_at_once
from tests.reliability.scenes.stage import in_turns, on_stage, size
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
    """Every race ends in what one order of its two gives."""
    with on_stage(setting, history, rng) as stage:
        lanes = [Lane(stage) for _ in range(LANES)]
        stage.owner.history = history
        kinds = [race for race, times in RACES.items() for _ in range(size(times, scale))]
        rng.shuffle(kinds)
        shares = [(lane, kinds[index::LANES]) for index, lane in enumerate(lanes)]
        lots = in_turns([lambda share=share: list(_run(*share)) for share in shares], LANES)
        results = [result for lot in lots for result in lot]
        violations = [result for result in results if result]
        figures = {"races": len(kinds), "void": len(kinds) - len(results)}
        return Report(figures, [*violations, *_vacuous(results), *stage.check()])


def _run(lane: Lane, races: list[Race]) -> Iterator[Violation | None]:
    """What was wrong with each race, run one after the other; nothing for a race that was void."""
    for race in races:
        try:
            wrong = race(lane)
        except FalseStart as start:
            wrong = f"it could not begin: {start}"
        except Unheard:  # nobody knows what is in the carts and orders now
            lane = Lane(lane.stage)
            continue
        yield Violation(race.__name__, wrong) if wrong else None
        if wrong:
            lane = Lane(lane.stage)


def _vacuous(results: list[Violation | None]) -> Iterator[Violation]:
    if not results:
        yield Violation("vacuous", "not one race was run to its end")

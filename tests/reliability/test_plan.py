"""What is planned of a run before it begins: faults by the seed, scenes by the command line."""

import random

import pytest

from tests.reliability import __main__ as command
from tests.reliability.faults import AT_LEAST, HANDS, Fault, draw, hits
from tests.reliability.history import Attempt, History

KINDS = [kind for kinds in HANDS for kind in kinds]
TEN_MINUTES = 600.0


def attempt(start: float, end: float, status: int | None) -> Attempt:
    return Attempt("read_cart", "pat", "GET", "/api/cart", None, None, start, end, status)


@pytest.mark.parametrize("seconds", [5.0, TEN_MINUTES])
def test_the_same_seed_plans_the_same_faults_and_another_seed_others(seconds):
    first, again, other = (draw(KINDS, seconds, random.Random(seed)) for seed in (1, 1, 2))

    assert first == again
    assert first != other


def test_in_however_short_a_run_each_kind_of_fault_has_its_turn():
    plan = [planned.kind for planned in draw(KINDS, 5.0, random.Random(1))]

    assert all(plan.count(kind) >= AT_LEAST.get(kind, 1) for kind in KINDS)


def test_ten_minutes_have_a_hundred_kills_and_five_crashes_all_within_them():
    plan = draw(KINDS, TEN_MINUTES, random.Random(1))

    assert sum(planned.kind == "kill_worker" for planned in plan) >= 100
    assert sum(planned.kind == "crash_postgresql" for planned in plan) >= 5
    assert all(0 < planned.at < TEN_MINUTES for planned in plan)
    assert plan == sorted(plan, key=lambda planned: planned.at)


def test_a_kill_hits_only_what_was_under_way_and_lost_its_answer():
    history = History()
    for sent in (attempt(0, 2, 200), attempt(1, 4, None), attempt(6, 7, 503)):
        history.append(sent)

    kills = [Fault("kill_worker", at, at, 1) for at in (0.5, 3.0, 5.0)]

    assert hits(kills, history) == 1


def test_the_quick_run_plays_all_scenes_small_but_the_fuzzing():
    options = command._options(["--quick"])

    played = {act.name: command._scale(act, options) for act in command.ACTS
              if command._is_wanted(act, options)}  # fmt: skip

    assert {act.name for act in command.ACTS} - played.keys() == {"fuzz"}
    assert all(scale <= 0.2 for scale in played.values())

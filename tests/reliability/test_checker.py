"""The checker: never an accusation of a shop that keeps the contract, always one of another."""

import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reliability import checker
from tests.reliability.checker import check
from tests.reliability.pretend import planted_in_goods, planted_in_orders
from tests.reliability.pretend.faulty import FAULTY
from tests.reliability.pretend.patch import Patch, Plant
from tests.reliability.pretend.run import play
from tests.reliability.pretend.shop import PretendShop

pytestmark = pytest.mark.thorough

PLANTED = [
    pytest.param(name, plant, id=plant.__name__)
    for module in (planted_in_orders, planted_in_goods)
    for name, plant in module.PLANTS
]
seeds = st.integers(0, 2**32)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, people=st.integers(1, 8), acts=st.integers(1, 12))
def test_a_shop_that_keeps_the_contract_is_never_accused(seed: int, people: int, acts: int) -> None:
    run = play(seed, people=people, acts=acts)

    assert check(run.history, run.books, run.facts) == []


@pytest.mark.parametrize("make", FAULTY, ids=lambda make: make.__name__)
def test_a_shop_with_a_fault_is_accused_within_a_few_runs(make: type[PretendShop]) -> None:
    runs = (play(seed, make) for seed in range(10))

    assert any(check(run.history, run.books, run.facts) for run in runs)


@settings(max_examples=3, deadline=None)
@given(seed=seeds)
@pytest.mark.parametrize(("name", "plant"), PLANTED)
def test_a_planted_fault_is_found_by_its_name(name: str, plant: Plant, seed: int) -> None:
    patch = next(_planted(plant, seed))

    found = check(patch.history, patch.books, patch.facts)

    assert name in {violation.name for violation in found}


def test_every_name_of_a_violation_has_been_planted() -> None:
    folder = Path(checker.__file__).parent
    source = "".join(path.read_text() for path in folder.glob("*.py"))
    named = {word for line in re.findall(NAMING, source) for word in re.findall(r'"(\w+)"', line)}

    planted = {case.values[0] for case in PLANTED}

    assert named - planted == SHOWN_BY_FAULTY_SHOPS


NAMING = r'Violation\(\s*"\w+"|name = "\w+" if .*'
"""How the rules spell the names of violations."""
SHOWN_BY_FAULTY_SHOPS = {"cancelled"}


def _planted(plant: Plant, seed: int) -> Iterator[Patch]:
    """Runs with the fault, from this seed on: not every run gives an occasion."""
    while True:
        patch = Patch(play(seed), random.Random(seed))
        if plant(patch):
            yield patch
        seed += 1

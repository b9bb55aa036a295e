"""The planted faults fit the source as it is, or they would prove nothing."""

import pytest

from tests.reliability.mutants import refuse_misfit
from tests.reliability.planted import MUTANTS, Edit


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_source_exactly_once(mutant):
    refuse_misfit(mutant)


def test_a_fault_that_does_not_fit_is_told():
    edit = Edit("app/errors.py", "twice", "once")

    with pytest.raises(ValueError, match="2 times, not once"):
        edit.apply("twice and twice")


def test_there_are_mutants_enough_and_none_twice():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12

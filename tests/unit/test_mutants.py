"""The planted faults fit the source as it is, or they would prove nothing."""

import ast

import pytest

from app.config import ROOT
from tests.reliability.mutants import SIZES
from tests.reliability.planted import MUTANTS, Edit


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_fits_the_source_exactly_once(mutant):
    sources = {edit.path: (ROOT / edit.path).read_text() for edit in mutant.edits}

    for edit in mutant.edits:
        sources[edit.path] = edit.apply(sources[edit.path])

    for source in sources.values():
        ast.parse(source)
    assert mutant.scene in SIZES


def test_a_fault_that_does_not_fit_is_told():
    edit = Edit("app/errors.py", "twice", "once")

    with pytest.raises(ValueError, match="2 times, not once"):
        edit.apply("twice and twice")


def test_there_are_mutants_enough_and_none_twice():
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= 12

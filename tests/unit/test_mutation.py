"""The mutation tool itself: what it changes, and that what it plants is what runs."""

import ast
import importlib
import os

import pytest

from app.config import ROOT
from tests.mutation import equal, targets
from tests.mutation.operators import mutations
from tests.mutation.planting import Planter


def changes(source: str) -> set[str]:
    return {mutation.change for mutation in mutations(source)}


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("a < b", "a < b -> a <= b"),
        ("a == b", "a == b -> a != b"),
        ("a in b", "a in b -> a not in b"),
        ("a and b", "a and b -> a or b"),
        ("not a", "not a -> a"),
        ("a + b", "a + b -> a - b"),
        ("a += 1", "a += 1 -> a -= 1"),
        ("a += 1", "a += 1 -> nothing"),
        ("a = 7", "7 -> 8"),
        ("a = 7", "7 -> 6"),
        ("a = True", "True -> False"),
        ("a.b = 7", "a.b = 7 -> nothing"),
        ("f(a, b)", "f(a, b) -> f(b, a)"),
        ("f(a)", "f(a) -> nothing"),
        ("min(a, 1)", "min(a, 1) -> max(a, 1)"),
        ("q.where(a, b)", "q.where(a, b) -> q.where(b)"),
        ("q.where(a)", "q.where(a) -> q"),
        ("q.with_for_update()", "q.with_for_update() -> q"),
        ("[x for x in y if x]", "[x for x in y if x] -> [x for x in y]"),
        ("a if b else c", "a if b else c -> c if b else a"),
        ("raise E()", "raise E() -> nothing"),
        ("def f():\n    return 1", "return 1 -> return None"),
        ("code = 'sold_out'", "'sold_out' -> 'sold_outX'"),
    ],
)
def test_what_is_changed(source, change):
    assert change in changes(source)


@pytest.mark.parametrize(
    "source",
    [
        '"""Words of a docstring."""',
        "def f(a: Literal['b']) -> dict[str, 'c']: ...",
        "@dataclass(frozen=True)\nclass C: ...",
        "log.info('x', a, b)",
        "import a.b",
        "raise_ = f'{a}'",
    ],
)
def test_what_is_left_alone(source):
    assert changes(source) == set()


def test_a_mutant_differs_in_one_place_alone():
    source = "def f(a, b):\n    if a < b:\n        return a + 1\n    return g(a, b)\n"

    for mutation in mutations(source):
        text = ast.unparse(mutation.tree())
        compile(mutation.tree(), "m", "exec")
        assert sum(old != new for old, new in zip(source.splitlines(), text.splitlines())) <= 1  # noqa: B905
        assert text != ast.unparse(ast.parse(source))
    assert ast.unparse(ast.parse(source)) == source.strip()


def test_a_planted_mutant_runs_wherever_the_function_is_held():
    in_a_fork(lambda: planted_function() == 3 * 7 + 1)


def planted_function():
    from app.domain.pricing.totals import line_total

    planter = Planter(importlib.import_module("app.domain.pricing.totals"))
    source = (ROOT / "app/domain/pricing/totals.py").read_text()
    times = next(
        m for m in mutations(source) if m.change == "unit_price * quantity -> unit_price + quantity"
    )
    planter.plant(times, is_deep=False)
    return line_total(21, 1)


def test_a_planted_constant_is_told_to_those_who_import_it():
    in_a_fork(planted_constant)


def planted_constant():
    from app.services.buying import cart_service

    planter = Planter(cart_service)
    source = (ROOT / "app/services/buying/cart_service.py").read_text()
    lines = next(m for m in mutations(source) if m.source.startswith("MAX_LINES ="))
    planter.plant(lines, is_deep=True)
    return cart_service.MAX_LINES == 5_001


def test_a_class_of_a_module_that_is_run_again_can_still_be_made():
    """Its `__init__` calls `super()`, which knows the class that it was written in."""
    in_a_fork(class_of_a_module_run_again)


def class_of_a_module_run_again():
    from app.domain import order_status

    refusal = order_status.IllegalTransition
    Planter(order_status).plant_original()
    return refusal("pending", "delivered").code == "illegal_transition"


def in_a_fork(check):
    """Nothing takes a mutant out again: it must not stay in this process."""
    pid = os.fork()
    if pid == 0:
        try:
            os._exit(0 if check() else 1)
        finally:
            os._exit(2)
    _pid, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize("path", targets.MODULES)
def test_every_module_has_mutants_and_its_equal_ones_are_still_there(path):
    found = mutations((ROOT / path).read_text("utf-8"))

    assert found
    stale = [
        one
        for one in equal.read()
        if one.path == path and not any(one.applies_to(path, mutation) for mutation in found)
    ]
    assert stale == []


def test_every_entry_of_an_equal_mutant_names_a_module_and_a_reason():
    assert all(one.path in targets.MODULES and one.reason for one in equal.read())


def test_an_entry_without_a_reason_is_refused():
    with pytest.raises(ValueError, match="reason"):
        equal.read("[app/domain/pricing/totals.py]\n\nprice * quantity\n=> a -> b")

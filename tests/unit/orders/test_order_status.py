"""The life of an order, as a truth table."""

import itertools

import pytest

from app.domain.order_status import ALLOWED, STATUSES, IllegalTransition, check_transition

LEGAL = {
    ("pending", "processing"),
    ("processing", "shipped"),
    ("shipped", "delivered"),
    ("pending", "cancelled"),
    ("processing", "cancelled"),
}


@pytest.mark.parametrize("step", list(itertools.product(STATUSES, repeat=2)), ids="-to-".join)
def test_only_the_steps_of_the_contract_are_allowed(step):
    if step in LEGAL:
        check_transition(*step)
        return

    with pytest.raises(IllegalTransition) as refusal:
        check_transition(*step)

    assert refusal.value.code == "illegal_transition"
    assert refusal.value.extra["allowed"] == list(ALLOWED[step[0]])


def test_a_refusal_names_what_is_allowed():
    assert "allowed: processing, cancelled" in str(IllegalTransition("pending", "delivered"))
    assert "nothing follows it" in str(IllegalTransition("cancelled", "pending"))

"""Carts: what may be in them, whatever happened at the same time or was never answered."""

import pytest

from tests.reliability.checker import search
from tests.reliability.checker.cart_steps import CartStep
from tests.reliability.checker.search import Search, TooMany


def step(kind, start, end, cart="account", certain=True, shows=None, **more):
    """A step in a window; `add(1, …)` and the like are told by `quantities`."""
    quantities = more.pop("quantities", {})
    return CartStep(
        "pat", kind, cart, start, end, quantities, shows=shows, is_certain=certain, **more
    )


def add(quantity, start, end, shows=None, certain=True, **more):
    """Put units of variant 1 into the cart."""
    return step("add", start, end, shows=shows, certain=certain, quantities={1: quantity}, **more)


def place(quantity, start, end):
    """Order that many units of variant 1."""
    return step("place", start, end, quantities={1: quantity}, shows={})


def read(units, start, end, **more):
    """See that many units of variant 1."""
    return step("read", start, end, shows={1: units} if units else {}, **more)


def test_what_was_put_in_is_there():
    steps = [add(2, 0, 1, {1: 2}), add(1, 2, 3, {1: 3}), place(3, 4, 5), read(0, 6, 7)]

    assert Search(steps).first_contradiction() is None


@pytest.mark.parametrize(
    "wrong",
    [
        [add(2, 0, 1), read(1, 2, 3)],
        [add(2, 0, 1), place(1, 2, 3)],
        [add(2, 0, 1), place(2, 2, 3), read(2, 4, 5)],
        [add(2, 0, 1), place(2, 2, 3), place(2, 4, 5)],
        [add(2, 0, 1), step("empty", 2, 3, shows={}), place(2, 4, 5)],
        [add(2, 0, 1), step("found_empty", 2, 3)],
        [add(2, 0, 1), step("found_short", 2, 3, quantities={1: 3})],
        [step("set", 0, 1, quantities={1: 2})],
        [add(1, 0, 9, {1: 1}), add(1, 0, 9, {1: 1})],
    ],
    ids=lambda steps: " then ".join(step.kind for step in steps),
)
def test_what_no_order_of_steps_explains_is_found(wrong):
    assert Search(wrong).first_contradiction() is not None


def test_an_edit_during_checkout_comes_before_it_or_after_it():
    before = [add(1, 0, 1), add(1, 2, 5), place(2, 2, 5), read(0, 6, 7)]
    after = [add(1, 0, 1), add(1, 2, 5), place(1, 2, 5), read(1, 6, 7)]

    assert Search(before).first_contradiction() is None
    assert Search(after).first_contradiction() is None


def test_a_line_that_was_ordered_and_stayed_is_found_though_it_was_added_meanwhile():
    both = [add(1, 0, 1), add(1, 2, 5), place(2, 2, 5), read(1, 6, 7)]

    assert Search(both).first_contradiction() is not None


def test_an_answer_that_was_lost_may_have_been_done_once_and_late():
    lost = add(1, 0, 30, certain=False)

    assert Search([lost, read(0, 2, 3), read(1, 4, 5)]).first_contradiction() is None
    assert Search([lost, read(0, 2, 3), read(0, 40, 41)]).first_contradiction() is None
    assert Search([lost, read(1, 2, 3), read(2, 4, 5)]).first_contradiction() is not None
    assert Search([lost, read(1, 2, 3), read(0, 4, 5)]).first_contradiction() is not None
    assert Search([lost, read(0, 40, 41), read(1, 42, 43)]).first_contradiction() is not None


def test_a_refusal_comes_before_the_order_of_its_key():
    order = place(1, 0, 20)
    refused = step("found_empty", 10, 11, not_after=order)

    assert Search([refused, add(1, 0, 15), order]).first_contradiction() is None
    assert Search([add(1, 0, 1), order, refused]).first_contradiction() is not None


def test_a_merge_adds_up_and_loses_nothing():
    guest, own = add(1, 0, 1, cart="guest"), add(2, 0, 1)
    merge = step("merge", 2, 3, cart="guest", least={1: 100})

    def sees(units, **more):
        return Search([guest, own, merge, read(units, 4, 5, **more)]).first_contradiction()

    assert sees(3) is None
    assert sees(2) is not None
    assert sees(0, cart="guest") is None
    assert sees(1, cart="guest") is not None


def test_a_merge_may_stop_at_what_was_in_stock_but_not_below_what_was_there():
    guest, own = add(5, 0, 1, cart="guest"), add(2, 0, 1)
    merge = step("merge", 2, 3, cart="guest", least={1: 4})

    seen = [
        units
        for units in range(10)
        if Search([guest, own, merge, read(units, 4, 5)]).first_contradiction() is None
    ]

    assert seen == [4, 5, 6, 7]


def test_a_first_line_opens_a_cart_of_its_own():
    opened = add(1, 0, 1, {1: 1}, cart="nobody", opens="guest")

    assert Search([opened, read(1, 2, 3, cart="guest")]).first_contradiction() is None
    assert Search([opened, read(1, 2, 3, cart="nobody")]).first_contradiction() is not None


def test_a_cart_that_is_there_is_not_passed_over_for_a_new_one():
    added = add(1, 0, 1, {1: 1}, cart="guest")
    again = add(1, 2, 3, {1: 1}, cart="guest", opens="other")

    assert Search([added, again]).first_contradiction() is again


def test_too_much_that_nobody_knows_is_given_up(monkeypatch):
    monkeypatch.setattr(search, "MOST", 50)
    lost = [step("add", 0, 30, certain=False, quantities={n: 1}) for n in range(10)]

    with pytest.raises(TooMany):
        Search([*lost, read(9, 1, 2)]).first_contradiction()

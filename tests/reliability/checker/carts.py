"""Carts: orders hold what was in the cart, and carts what was put into them."""

from collections import defaultdict
from collections.abc import Iterator

from tests.reliability.checker.cart_steps import CartStep, steps_of
from tests.reliability.checker.case import Case
from tests.reliability.checker.search import Search, TooMany
from tests.reliability.history import Attempt
from tests.reliability.violation import Violation

UNDECIDED = 0.02
"""The part of all people whose carts may be too tangled to follow."""


def carts_hold_what_was_put_in(case: Case) -> Iterator[Violation]:
    """No order in which a person's attempts may have been carried out explains what they saw.

    All that was done to a person's carts is followed at once, with placing orders among it: so an
    order's lines are what was in the cart, lines neither vanish nor double, an emptied cart stays
    empty, a cart merges at login as it should, and no refusal claims what was not so.

    Sound: a cart's row is locked by each write, and read by one statement; so all attempts on a
    person's carts were carried out one after the other, each within its window. Search follows
    every such order of them, unknown ones both done and not.
    """
    undecided = []
    people: dict[str, list[CartStep]] = defaultdict(list)
    for step in steps_of(case):
        people[step.user].append(step)
    for user, steps in people.items():
        try:
            wrong = Search(steps).first_contradiction()
        except TooMany:
            undecided.append(user)
            continue
        if wrong is not None:
            yield _accuse(case, user, wrong)
    if len(undecided) > max(1, UNDECIDED * len(people)):
        yield Violation("vacuous", f"The carts of {len(undecided)} people are too tangled.")


def _accuse(case: Case, user: str, wrong: CartStep) -> Violation:
    names = {
        "place": "lines_not_as_in_cart",
        "found_empty": "refused_against_cart",
        "found_short": "refused_against_cart",
    }
    name = names.get(wrong.kind, "cart_differs")
    around = [attempt for attempt in case.by_user[user] if _may_touch(attempt, wrong)]
    detail = f"Nothing that {user} did explains: {wrong}."
    return Violation(name, detail, around[-8:])


def _may_touch(attempt: Attempt, wrong: CartStep) -> bool:
    touching = ("/api/cart", "/api/auth/login")
    return attempt.start <= wrong.latest and (
        attempt.operation == "place_order" or attempt.path.startswith(touching)
    )


RULES = (carts_hold_what_was_put_in,)

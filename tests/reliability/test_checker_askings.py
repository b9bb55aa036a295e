"""Orders without a key, and people whose carts nobody can follow."""

from dataclasses import replace

import pytest

from tests.reliability.checker import check, search
from tests.reliability.facts import WorldFacts
from tests.reliability.history import Attempt, History
from tests.reliability.pretend.run import PRICES, STOCK, play
from tests.reliability.pretend.shop import PretendShop, Sent

PAT = {"account": "pat", "about": {"cart": "account", "guest": False}}


@pytest.fixture
def shop():
    """A shop in memory, and a customer."""
    shop = PretendShop(PRICES, STOCK)
    shop.register(Sent("register", "pat", ""))
    return shop


def buy(shop, times):
    """Orders without a key, each as the attempt that was answered."""
    wish = {**PAT["about"], "variant_id": 3, "quantity": 1}
    for number in range(times):
        shop.add_item(Sent("add_item", "pat", "", account="pat", about=wish))
        status, answer, _ = shop.place_order(Sent("place_order", "pat", "", {}, None, "pat"))
        start = 10.0 * number
        yield Attempt(
            "place_order", "pat", "POST", "/api/orders", None, {}, start, start + 1, status,
            answer, about=PAT["about"],
        )  # fmt: skip


def violations(shop, attempts):
    """The names of what the checker finds, but for carts, which nothing is told of here."""
    history = History()
    for attempt in attempts:
        history.append(attempt)
    facts = WorldFacts(2, dict(STOCK), dict(PRICES), dict(shop.users))
    named = {violation.name for violation in check(history, shop.books(), facts)}
    return named - {"lines_not_as_in_cart"}


def test_orders_without_a_key_are_known_by_their_numbers(shop):
    assert violations(shop, buy(shop, 2)) == set()


def test_an_order_without_a_key_may_come_of_an_attempt_whose_answer_was_lost(shop):
    lost = [replace(attempt, status=None, answer=None) for attempt in buy(shop, 2)]

    assert violations(shop, lost) == set()


def test_an_attempt_without_a_key_makes_no_two_orders(shop):
    first, _second = buy(shop, 2)

    assert violations(shop, [replace(first, status=None, answer=None)]) == {"order_unasked"}


def test_a_refused_attempt_without_a_key_made_no_order(shop):
    (only,) = buy(shop, 1)
    refused = replace(only, status=422, answer={"code": "cart_empty"})

    assert violations(shop, [refused]) == {"order_unasked"}


def test_an_order_comes_of_a_lost_answer_rather_than_of_a_refusal(shop):
    refused, lost = buy(shop, 2)
    shop.orders.popitem()
    attempts = [
        replace(refused, status=422, answer={"code": "invalid"}),
        replace(lost, status=None, answer=None),
    ]

    assert not violations(shop, attempts) & {"order_unasked", "order_after_refusals"}


def test_carts_too_tangled_to_follow_are_told(monkeypatch):
    monkeypatch.setattr(search, "MOST", 0)
    run = play(1)

    (found,) = check(run.history, run.books, run.facts)

    assert (found.name, "tangled" in found.detail) == ("vacuous", True)

"""The shop itself stopped or reloaded under load: what was accepted is answered, and done once."""

import time
from collections.abc import Iterator

import pytest

from tests.reliability.outages import Shop, shop_under_fire

pytestmark = pytest.mark.slow

MEET = 0.7
"""Seconds in which every shopper meets what happens."""


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A shop in two processes."""
    with shop_under_fire(request.param) as opened:
        yield opened


@pytest.mark.parametrize("keeps_alive", [False, True], ids=["one request", "kept alive"])
def test_nobody_notices_a_reload(shop, keeps_alive):
    before = shop.setting.workers()
    with shop.load(keeps_alive=keeps_alive) as figures:
        time.sleep(MEET)
        shop.setting.reload()
        until_replaced(shop, before)

    assert set(figures.statuses) == {200, 201}
    assert shop.orders() == shop.acknowledged()


def test_a_stop_answers_what_it_accepted_and_nothing_is_lost(shop):
    with shop.load(keeps_alive=True) as figures:
        time.sleep(MEET)
        began = shop.setting.clock()
        shop.setting.restart_shop()

    assert set(figures.between(0, began - 0.5).statuses) <= {200, 201}
    assert {sample.code for sample in figures.unkind()} <= {"ConnectionError"}
    assert shop.orders() == shop.acknowledged()


def until_replaced(shop: Shop, workers: list[int]) -> None:
    """Wait until none of these processes works any more."""
    deadline = time.monotonic() + 60
    while set(workers) & set(shop.setting.workers()):
        if time.monotonic() > deadline:
            raise AssertionError("The workers were not replaced.")
        time.sleep(0.05)

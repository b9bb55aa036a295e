"""Redis or PostgreSQL away, connections used up: what shoppers are told meanwhile, and after."""

import time
from collections.abc import Iterator

import pytest
import requests

from tests.reliability.outages import Shop, shop_under_fire
from tests.reliability.setting import OWNER, PASSWORD, PostgreSQLSetting
from tests.servers import PATIENCE

pytestmark = pytest.mark.slow

MEET = 0.7
"""Seconds in which every shopper meets an outage."""
GIVEN_UP, GENEROUS = 9.0, 20.0
"""Seconds: a statement of a request is given up after 8; and what a busy machine makes of that."""


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    """A shop on PostgreSQL and Redis."""
    with shop_under_fire("postgresql") as opened:
        yield opened


@pytest.fixture
def servers(shop: Shop) -> PostgreSQLSetting:
    """What can be done to the servers of that shop."""
    assert isinstance(shop.setting, PostgreSQLSetting)
    return shop.setting


@pytest.mark.parametrize("outage", ["freeze_redis", "kill_redis"])
def test_without_redis_everything_goes_on(shop, servers, outage):
    back = {"freeze_redis": servers.thaw_redis, "kill_redis": servers.start_redis}[outage]
    with shop.load() as figures:
        getattr(servers, outage)()
        time.sleep(MEET)
        back()
        time.sleep(MEET)

    assert set(figures.statuses) == {200, 201}
    assert shop.orders() == shop.acknowledged()


def test_without_redis_guessing_locks_as_ever(shop, servers):
    def log_in(password: str) -> int:
        body = {"email": OWNER, "password": password}
        return requests.post(
            f"{servers.address}/api/auth/login", json=body, timeout=PATIENCE
        ).status_code

    servers.freeze_redis()
    try:
        guesses = [log_in("not the password") for _ in range(5)]
        locked = log_in(PASSWORD)
    finally:
        servers.thaw_redis()

    assert (guesses, locked) == ([401] * 5, 429)


@pytest.mark.parametrize("how", ["fast", "immediate"])
def test_while_postgresql_restarts_there_are_503s_and_nothing_is_lost(shop, servers, how):
    with shop.load() as figures:
        time.sleep(MEET)
        servers.restart_postgresql(how)
        time.sleep(MEET)

    assert figures.unkind() == []
    assert shop.orders() == shop.acknowledged()


def test_a_frozen_postgresql_keeps_nobody_waiting_for_ever(shop, servers):
    with shop.load() as figures:
        time.sleep(MEET)
        servers.freeze_postgresql()
        try:
            time.sleep(GIVEN_UP)
        finally:
            servers.thaw_postgresql()

    assert figures.unkind() == []
    assert figures.statuses[503] > 0
    assert figures.slowest < GENEROUS
    assert shop.orders() == shop.acknowledged()


def test_when_the_pool_is_used_up_the_others_are_told_so_soon():
    with shop_under_fire("postgresql", 1, DB_POOL_SIZE="1", DB_MAX_OVERFLOW="0") as crowded:
        with crowded.load() as figures:
            time.sleep(MEET)
            crowded.setting.hold_locks(4)

        assert figures.unkind() == []
        assert figures.statuses[503] > 0
        assert figures.slowest < GENEROUS
        assert crowded.orders() == crowded.acknowledged()

"""Generous limits are counted in shares: exact in one process, nearly so in many."""

import time

import pytest
import time_machine
from flask import Flask

from app import create_app
from app.config import Testing
from app.extensions import limiter
from app.web.limits.rate_limits import SHARES

pytestmark = pytest.mark.thorough

ROUTE = "/robots.txt"
LIMIT = 4 * SHARES


@pytest.fixture
def shops(app, environ):
    """Two processes' worth of one shop, with limits that are told in shares of four."""
    settings = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": f"{LIMIT} per hour"}
    made = [create_app(Testing({**environ, **settings})) for _ in range(2)]
    limiter.reset()
    yield made
    limiter.enabled = False


def allowed(app: Flask, times: int) -> int:
    client = app.test_client()
    return sum(client.get(ROUTE).status_code == 200 for _ in range(times))


def test_in_one_process_the_limit_is_exact(shops):
    assert allowed(shops[0], LIMIT + 20) == LIMIT


@pytest.mark.only_on("postgresql")  # where Redis is
def test_a_second_process_lets_through_less_than_a_share_more(shops):
    first = allowed(shops[0], LIMIT - 10)

    second = allowed(shops[1], 100)

    assert LIMIT <= first + second < LIMIT + LIMIT // SHARES


@pytest.mark.only_on("sqlite")
def test_a_new_window_begins_at_the_end_of_the_last(shops):
    allowed(shops[0], LIMIT + 1)

    with time_machine.travel(time.time() + 3601):
        again = allowed(shops[0], LIMIT + 1)

    assert again == LIMIT


@pytest.mark.only_on("sqlite")  # whose windows end when the test's clock says so
def test_a_process_that_came_late_to_a_window_does_not_go_on_refusing_after_its_end(shops):
    allowed(shops[0], LIMIT - LIMIT // SHARES)
    came = time.time()

    with time_machine.travel(came + 3000):
        assert allowed(shops[1], LIMIT // SHARES) == LIMIT // SHARES
    with time_machine.travel(came + 3700):
        assert allowed(shops[1], LIMIT // SHARES) == LIMIT // SHARES

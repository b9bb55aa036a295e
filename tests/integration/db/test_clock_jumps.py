"""A clock that jumps, forward or back: nobody is kept out for long, and nothing is done twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import time_machine

from app import create_app
from app.config import Testing
from app.domain.clock import utc_now
from app.extensions import limiter
from app.models import IdempotencyKey, Order
from tests import factories
from tests.integration.conftest import Caller
from tests.integration.people import login, make_user, me, refresh, rows, signed_in_as
from tests.integration.shopping import ADDRESS, fill, stock

WRONG = "not the password"
KEY = {"Idempotency-Key": "one and only"}


@contextmanager
def clock_ahead(**delta: float) -> Iterator[None]:
    """The machine's clock is wrong for a while; afterwards it is set back."""
    with time_machine.travel(utc_now() + timedelta(**delta), tick=True):
        yield


@pytest.fixture
def account(app):
    """An account for EMAIL."""
    return make_user(app)


def ordered(caller: Caller, **body) -> tuple[int, bool]:
    """The status of an order with KEY, and whether it was replayed."""
    answer = caller.post("/api/orders", json={"shipping_address": ADDRESS, **body}, headers=KEY)
    return answer.status_code, "Idempotency-Replayed" in answer.headers


def test_tokens_of_a_clock_that_was_ahead_are_good_when_it_is_set_back(anyone, account):
    with clock_ahead(hours=1):
        tokens = login(anyone).json

    assert me(anyone, tokens["access_token"]).status_code == 200
    renewed = refresh(anyone, tokens["refresh_token"])
    assert me(anyone, renewed.json["access_token"]).status_code == 200


def test_after_a_jump_forward_a_refresh_goes_on(anyone, account):
    tokens = login(anyone).json

    with clock_ahead(days=2):
        late = me(anyone, tokens["access_token"])
        renewed = refresh(anyone, tokens["refresh_token"])

        assert late.status_code == 401
        assert me(anyone, renewed.json["access_token"]).status_code == 200
    assert me(anyone, renewed.json["access_token"]).status_code == 200


def test_a_lock_of_a_clock_that_was_ahead_ends_when_it_is_set_back(anyone, account):
    with clock_ahead(days=365):
        failed = [login(anyone, password=WRONG).status_code for _ in range(5)]
        locked = login(anyone).status_code

    assert (failed, locked) == ([401] * 5, 429)
    assert login(anyone).status_code == 200


def test_after_a_clock_was_set_back_guessing_locks_as_before(app, anyone, account):
    with clock_ahead(days=365):
        for _ in range(5):
            login(anyone, password=WRONG)

    refused = login(anyone, password=WRONG).status_code
    locked = login(anyone)

    assert (refused, locked.status_code) == (401, 429)
    assert int(locked.headers["Retry-After"]) <= 15 * 60


def test_a_key_of_a_clock_that_was_ahead_still_replays(app, account):
    product = a_product(app)
    with clock_ahead(days=365):
        caller = signed_in_as(app)
        fill(caller, product)
        first = ordered(caller)
    fill(caller, product)

    again = ordered(caller)

    assert (first, again) == ((201, False), (201, True))
    assert len(rows(app, Order)) == 1


@pytest.mark.parametrize("hours", [1, 23])
def test_a_key_survives_a_jump_forward_of_less_than_its_day(app, account, hours):
    caller, product = signed_in_as(app), a_product(app)
    fill(caller, product)
    ordered(caller)
    with clock_ahead(hours=hours):
        caller = signed_in_as(app)
        fill(caller, product)

        again = ordered(caller)

    assert again == (201, True)
    assert len(rows(app, IdempotencyKey)) == 1


def test_a_key_that_a_jump_made_too_old_orders_nothing_that_was_ordered(app, account):
    caller, product = signed_in_as(app), a_product(app)
    fill(caller, product)
    first = ordered(caller)
    with clock_ahead(days=2):
        again = ordered(signed_in_as(app))

    assert (first, again) == ((201, False), (422, False))
    assert stock(app, product) == (10, 1)


@pytest.mark.only_on("sqlite")
def test_a_limit_of_a_clock_that_was_ahead_ends_when_it_is_set_back(app, environ):
    limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "2 per minute"}
    limited = create_app(Testing({**environ, **limits}))
    caller = Caller(limited)

    def statuses() -> list[int]:
        return [caller.get("/api/openapi.json").status_code for _ in range(3)]

    try:
        with clock_ahead(days=365):
            ahead = statuses()
        back = statuses()
    finally:
        limiter.enabled = False

    assert ahead == back == [200, 200, 429]


def a_product(app):
    with app.app_context():
        return factories.product()

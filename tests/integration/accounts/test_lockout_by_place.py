"""Who is locked out by whose guesses: whoever guesses, where they are, and never the owner."""

from datetime import datetime, timedelta, timezone

import bcrypt
import pytest
import time_machine

from app import create_app
from app.config import Testing
from app.domain.clock import utc_now
from app.domain.people import guessing
from app.extensions import limiter
from app.models import LoginThrottle, Session
from app.services.accounts import auth_service, throttle_service
from tests.factories import PASSWORD
from tests.integration.conftest import Caller
from tests.integration.people import (
    EMAIL,
    at_once,
    change,
    inside,
    login,
    make_user,
    rows,
    statuses,
)
from tests.integration.shopping import statements_for

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("midday")]

HOME, AWAY = "192.0.2.1", "198.51.100.7"
WRONG = "not the password"


@pytest.fixture
def account(app):
    """An account for EMAIL, that nobody has signed in to."""
    return make_user(app)


@pytest.fixture
def few(monkeypatch):
    """Low limits for an account from anywhere, and for a place whatever the account."""
    monkeypatch.setattr(guessing, "FREE_FROM_ANYWHERE", 8)
    monkeypatch.setattr(guessing, "FREE_FROM_A_NETWORK", (8, 8, 8))


def sign_in(app, place, email=EMAIL, password=PASSWORD):
    return login(Caller(app), email, password, environ_overrides={"REMOTE_ADDR": place})


def status(app, place, email=EMAIL, password=PASSWORD):
    return sign_in(app, place, email, password).status_code


def guess_from(app, places, email=EMAIL):
    return [status(app, place, email, WRONG) for place in places]


def guess_everywhere(app, times, email=EMAIL):
    return guess_from(app, [f"203.0.113.{number}" for number in range(times)], email)


def later(**delta):
    return time_machine.travel(utc_now() + timedelta(**delta), tick=False)


def test_a_guesser_locks_out_himself_and_not_the_owner_elsewhere(app, account):
    guess_from(app, [AWAY] * 6)

    assert status(app, AWAY) == 429
    assert status(app, HOME) == 200


def place_key(app, place):
    return inside(app, throttle_service.place_key, place)


def test_under_attack_each_strange_network_has_one_guess(app, account, few):
    assert guess_everywhere(app, 8) == [401] * 8

    assert guess_from(app, [AWAY, AWAY, "203.0.113.0"]) == [401, 429, 429]


def test_a_strange_network_that_has_not_failed_is_let_in_under_attack(app, account, few):
    guess_everywhere(app, 20)

    assert status(app, AWAY) == 200


def test_a_strange_network_that_failed_waits_for_a_growing_while_under_attack(app, account, few):
    guess_everywhere(app, 8)
    waits = []
    for hours in (0, 1, 3, 7, 15):
        with later(hours=hours):
            guess_everywhere(app, 8)  # the attack goes on, past midnight too
            assert status(app, AWAY, password=WRONG) == 401
            waits.append(round(int(sign_in(app, AWAY).headers["Retry-After"]) / 3600))

    assert waits == [1, 2, 4, 8, 8]


def test_where_the_account_was_signed_in_to_before_it_still_is(app, account, few):
    assert status(app, HOME) == 200
    guess_everywhere(app, 10)
    guess_from(app, [AWAY])

    assert status(app, AWAY) == 429
    assert guess_from(app, [HOME] * 4) == [401] * 4
    assert status(app, HOME) == 200


def test_a_place_stays_known_after_logout(app, account, few):
    token = sign_in(app, HOME).json["access_token"]
    Caller(app, Authorization=f"Bearer {token}").post("/api/auth/logout")
    guess_everywhere(app, 8)

    assert guess_from(app, [HOME] * 4) == [401] * 4
    assert status(app, HOME) == 200


def test_a_place_that_another_account_knows_is_strange_to_this_one(app, account, few):
    make_user(app, email="bob@example.com")
    assert status(app, HOME, "bob@example.com") == 200
    guess_everywhere(app, 8)

    assert guess_from(app, [HOME] * 2) == [401, 429]


def test_a_success_in_between_does_not_hide_guesses_from_many_places(app, account, few):
    guess_everywhere(app, 7)
    assert status(app, AWAY) == 200

    assert guess_from(app, ["203.0.113.77"] * 3) == [401, 429, 429]


def test_what_is_counted_from_anywhere_ends_with_its_day(app, account, few):
    guess_everywhere(app, 8)

    with later(days=1):
        assert guess_everywhere(app, 7) == [401] * 7
        assert guess_from(app, [AWAY] * 2) == [401, 429]


def test_a_known_place_is_locked_by_its_own_guesses_alone_which_lock_no_other(app, account, few):
    assert status(app, HOME) == 200
    guess_from(app, [HOME] * 5)
    with later(hours=1):
        guess_from(app, [HOME] * 5)

        assert status(app, HOME) == 429
        assert status(app, AWAY) == 200


def test_one_place_that_tries_many_accounts_is_locked_for_those_it_does_not_know(app, few):
    for number in range(9):
        make_user(app, email=f"p{number}@example.com")
    assert status(app, HOME, "p0@example.com") == 200

    tried = [status(app, HOME, f"p{number}@example.com", WRONG) for number in range(1, 9)]

    assert tried == [401] * 8
    assert status(app, HOME, "p8@example.com") == 429
    assert status(app, HOME, "p0@example.com") == 200
    assert status(app, AWAY, "p8@example.com") == 200


def test_a_network_has_a_thousand_failures_a_day_over_all_accounts(app, account):
    guess_from(app, [HOME], "nobody@example.com")
    key = inside(app, throttle_service.login_guards, "any", HOME, is_known=False).keys[-1]
    (counted,) = [row for row in rows(app, LoginThrottle) if row.key == key]
    change(app, counted, failures=998)

    answers = [status(app, HOME, f"p{number}@example.com", WRONG) for number in range(3)]

    assert answers == [401, 401, 429]
    assert status(app, HOME) == 429
    assert status(app, AWAY) == 200
    with later(days=1):
        assert status(app, HOME) == 200


def test_the_failures_of_a_network_are_counted_for_each_day_by_itself(app, account):
    with time_machine.travel(datetime(2030, 1, 1, 23, tzinfo=timezone.utc), tick=False):
        guess_from(app, [HOME], "nobody@example.com")
        for row in rows(app, LoginThrottle):
            change(app, row, failures=guessing.FREE_FROM_A_NETWORK[0] - 1)
    with time_machine.travel(datetime(2030, 1, 2, 1, tzinfo=timezone.utc), tick=False):
        guess_from(app, [HOME], "somebody@example.com")

        assert status(app, HOME) == 200


def test_a_success_does_not_end_what_a_network_has_failed_today(app, account):
    guess_from(app, [HOME] * 2, "nobody@example.com")
    key = inside(app, throttle_service.login_guards, "any", HOME, is_known=False).keys[-1]
    assert status(app, HOME) == 200

    assert [row.failures for row in rows(app, LoginThrottle) if row.key == key] == [2]


def test_who_registers_where_others_guess_can_sign_in_there(app, few):
    for number in range(9):
        assert status(app, HOME, f"nobody{number}@example.com") in (401, 429)
    facts = {"email": "new@example.com", "password": PASSWORD}
    here = {"REMOTE_ADDR": HOME}

    made = Caller(app).post("/api/auth/register", json=facts, environ_overrides=here)

    assert made.status_code == 201
    assert status(app, HOME, "nobody@example.com") == 429
    assert status(app, HOME, "new@example.com") == 200


def test_an_account_that_is_none_is_locked_in_the_same_way(app, account, few):
    assert guess_everywhere(app, 10, "nobody@example.com") == guess_everywhere(app, 10)


def test_all_addresses_of_an_ipv6_network_are_one_place(app, account):
    answers = guess_from(app, [f"2001:db8:0:1::{number}" for number in range(6)])

    assert answers == [401] * 5 + [429]
    assert status(app, "2001:db8:0:2::1") == 200


@pytest.mark.parametrize(
    ("networks", "free"),
    [
        ([f"2001:db8:0:12{number:02x}::1" for number in range(30)], 10),
        ([f"2001:db8:0:{number:x}00::1" for number in range(30)], 20),
    ],
)
def test_ipv6_networks_of_one_customer_are_counted_together(app, account, networks, free):
    assert guess_from(app, networks) == [401] * free + [429] * (30 - free)
    assert status(app, "2001:db8:1::1") == 200


@pytest.mark.parametrize(("proxies", "sent"), [("0", "{claim}"), ("1", f"{{claim}}, {AWAY}")])
def test_a_hundred_forged_forwarded_for_do_not_help(app, environ, account, proxies, sent):
    shop = create_app(Testing({**environ, "TRUSTED_PROXIES": proxies}))
    forged = [{"X-Forwarded-For": sent.format(claim=f"10.0.0.{n}")} for n in range(100)]

    answers = [login(Caller(shop), password=WRONG, headers=claim) for claim in forged]

    assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 95
    assert login(Caller(shop), headers=forged[0]).status_code == 429
    limiter.enabled = False  # the limiter is one for all apps of this process


def test_the_places_of_a_deleted_account_are_erased(app, account):
    token = sign_in(app, HOME).json["access_token"]
    guess_from(app, [HOME, AWAY])

    Caller(app, Authorization=f"Bearer {token}").delete(
        "/api/users/me", json={"password": PASSWORD}
    )

    assert [session.place for session in rows(app, Session)] == [None]
    left = {row.key[:32] for row in rows(app, LoginThrottle)}
    assert not any(key.startswith(inside(app, throttle_service.login_key, EMAIL)) for key in left)
    assert len(left) == 1  # of the network, for all accounts


def test_no_address_of_the_network_is_stored(app, account):
    sign_in(app, HOME)

    (session,) = rows(app, Session)
    assert session.place == place_key(app, HOME)
    assert HOME not in session.place


def test_a_caller_of_unknown_place_is_no_known_one(app, account, few):
    guess_everywhere(app, 8)
    guess_from(app, [""])

    with pytest.raises(auth_service.ShopError) as refused:
        inside(app, auth_service.try_credentials, EMAIL, PASSWORD)

    assert refused.value.code == "too_many_attempts"


def test_a_thief_who_guesses_with_a_stolen_token_does_not_keep_the_owner_out(app, account):
    thief, owner = (
        Caller(app, Authorization=f"Bearer {sign_in(app, place).json['access_token']}")
        for place in (AWAY, HOME)
    )
    wish = {"current_password": WRONG, "new_password": "a rather different phrase"}
    guesses = [thief.post("/api/users/me/password", json=wish).status_code for _ in range(6)]

    answer = owner.post("/api/users/me/password", json={**wish, "current_password": PASSWORD})

    assert guesses == [422] * 5 + [429]
    assert answer.status_code == 204
    assert thief.get("/api/users/me").status_code == 401


@pytest.mark.races
def test_guessing_from_many_places_at_once_gains_nothing(app, account, few):
    places = [f"203.0.113.{number % 10}" for number in range(20)]

    answers = at_once([lambda place=place: sign_in(app, place, password=WRONG) for place in places])

    refused = statuses(answers).count(429)
    assert statuses(answers) == [401] * (20 - refused) + [429] * refused
    assert refused >= 2  # of the last twelve, ten come from networks that have failed before


@pytest.mark.races
def test_sign_ins_of_many_accounts_from_one_place_all_succeed(app, few):
    for number in range(10):
        make_user(app, email=f"p{number}@example.com")

    answers = at_once(
        [lambda number=number: sign_in(app, HOME, f"p{number}@example.com") for number in range(10)]
    )

    assert statuses(answers) == [200] * 10
    assert rows(app, LoginThrottle) == []


def test_a_wrong_password_is_the_same_work_whether_or_not_there_is_an_account(
    app, account, monkeypatch
):
    costs, hash_password = [], bcrypt.hashpw
    monkeypatch.setattr(
        bcrypt, "hashpw", lambda text, salt: (costs.append(salt[:7]), hash_password(text, salt))[1]
    )
    sign_in(app, HOME, "first@example.com", WRONG)  # the network's first failure
    costs.clear()
    emails = [EMAIL, "nobody@example.com", "no address at all"]
    statements = [
        statements_for(app, lambda email=email: sign_in(app, HOME, email, WRONG))
        for email in emails
    ]

    assert costs == [b"$2b$04$"] * 3
    assert len(set(statements)) == 1

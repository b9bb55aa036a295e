"""The lock against guessing passwords: growing, durable, the same for accounts that are none."""

from datetime import datetime, timedelta, timezone

import pytest
import time_machine

from app import create_app
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db, limiter
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

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("midday")]

WRONG = "not the password"
HERE = "127.0.0.1"


@pytest.fixture
def account(app):
    """An account for EMAIL."""
    return make_user(app)


def fail(caller, times, email=EMAIL):
    return [login(caller, email, WRONG).status_code for _ in range(times)]


def counts(app):
    return [(row.key, row.failures, row.locked_until) for row in rows(app, LoginThrottle)]


def later(**delta):
    return time_machine.travel(utc_now() + timedelta(**delta), tick=False)


def wait_of(response):
    assert response.status_code == 429
    assert response.json["code"] == "too_many_attempts"
    return int(response.headers["Retry-After"])


def test_after_five_failures_in_a_row_even_the_right_password_waits(app, anyone, account):
    assert fail(anyone, 5) == [401] * 5

    response = login(anyone)

    assert 25 <= wait_of(response) <= 30
    assert response.mimetype == "application/problem+json"
    assert rows(app, Session) == []


def test_the_lock_opens_by_itself(anyone, account):
    fail(anyone, 5)

    with later(seconds=31):
        assert login(anyone).status_code == 200


def test_each_further_failure_locks_for_twice_as_long_up_to_a_quarter_of_an_hour(anyone, account):
    fail(anyone, 5)
    waits = []
    for hours in range(1, 8):
        with later(hours=hours):
            assert fail(anyone, 1) == [401]
            waits.append(wait_of(login(anyone)))

    assert waits == [60, 120, 240, 480, 900, 900, 900]


def test_failures_while_locked_do_not_make_the_lock_longer(app, anyone, account):
    fail(anyone, 5)
    before = counts(app)

    assert fail(anyone, 10) == [429] * 10

    assert counts(app) == before


def test_a_success_starts_the_count_afresh(app, anyone, account):
    fail(anyone, 4)
    login(anyone)

    assert fail(anyone, 5) == [401] * 5
    assert login(anyone).status_code == 429


def test_failures_are_forgotten_after_a_day(anyone, account):
    fail(anyone, 4)

    with later(hours=25):
        assert fail(anyone, 4) == [401] * 4
        assert login(anyone).status_code == 200


def test_unknown_emails_are_locked_in_the_same_way(app, anyone, account):
    known, unknown = fail(anyone, 6), fail(anyone, 6, "nobody@example.com")

    assert known == unknown == [401] * 5 + [429]
    answers = [login(anyone), login(anyone, "nobody@example.com")]
    assert wait_of(answers[0]) - wait_of(answers[1]) in (-1, 0, 1)
    assert len(rows(app, LoginThrottle)) == 5  # of each account here and anywhere, of the place


def test_the_lock_is_kept_by_a_hash_and_no_address_is_stored(app, anyone):
    fail(anyone, 1)

    keys = [row.key for row in rows(app, LoginThrottle)]
    assert {len(key) for key in keys} == {64}
    assert not any("example" in key or HERE in key for key in keys)


def test_writing_the_email_differently_does_not_help(anyone, account):
    spellings = [EMAIL, EMAIL.upper(), f" {EMAIL} ", "Ann@example.com", "aNn@Example.COM"]

    for spelling in spellings:
        fail(anyone, 1, spelling)

    assert login(anyone).status_code == 429


def test_other_accounts_are_not_locked(app, anyone, account):
    make_user(app, email="bob@example.com")
    fail(anyone, 6)

    assert login(anyone, "bob@example.com").status_code == 200


def test_a_deactivated_account_counts_failures_like_any_other(app, anyone):
    make_user(app, is_active=False)

    right = [login(anyone).status_code for _ in range(6)]

    assert right == [401] * 5 + [429]


def test_the_lock_outlives_the_process(app, environ, account):
    fail(Caller(app), 5)

    restarted = create_app(Testing(environ))

    assert login(Caller(restarted)).status_code == 429
    limiter.enabled = False  # the limiter is one for all apps of this process


def test_a_password_that_was_checked_before_the_lock_fell_does_not_pass_it(app, account):
    attempt = inside(app, auth_service.try_credentials, EMAIL, PASSWORD, HERE)
    assert attempt.is_correct
    fail(Caller(app), 5)

    outcome = inside(
        app, lambda: in_transaction(lambda: auth_service.sign_in(attempt, timedelta(days=1)))
    )

    assert outcome.code == "too_many_attempts"
    assert rows(app, Session) == []


@pytest.mark.parametrize("facts", [{"is_active": False}, {"password_hash": "$2b$04$changed"}])
def test_an_account_that_changed_since_its_password_was_checked_stays_shut(app, account, facts):
    attempt = inside(app, auth_service.try_credentials, EMAIL, PASSWORD, HERE)
    change(app, account, **facts)

    outcome = inside(
        app, lambda: in_transaction(lambda: auth_service.sign_in(attempt, timedelta(days=1)))
    )

    assert outcome.code == "invalid_credentials"
    assert rows(app, Session) == []


def test_what_is_forgotten_is_swept_away_by_the_next_failure(app, anyone):
    for number in range(3):
        fail(anyone, 1, f"p{number}@example.com")

    with later(hours=25):
        fail(anyone, 1, "new@example.com")

    keys = {row.key[:32] for row in rows(app, LoginThrottle)}
    assert inside(app, throttle_service.login_key, "new@example.com") in keys
    assert len(keys) == 2  # and of the network, for all accounts


def test_each_counter_of_an_attempt_locks_it_before_its_password_is_hashed(app):
    """From IPv6 an attempt has as many counters as there are."""

    def locks():
        guards = throttle_service.login_guards("ann@example.com", "2001:db8::1", is_known=False)
        waits = []
        for key in guards.keys:
            row = LoginThrottle(key=key, failures=9, locked_until=utc_now() + timedelta(seconds=90))
            db.session.add(row)
            db.session.flush()
            lock = throttle_service.find_lock(guards)
            waits.append(lock and lock.retry_after)
            db.session.delete(row)
            db.session.flush()
        assert throttle_service.find_lock(guards) is None
        return waits

    with time_machine.travel(utc_now(), tick=False):
        assert inside(app, locks) == [90] * 7


def test_what_is_counted_is_found_again_by_the_next_release(app):
    """The keys of counts and places are stored: a release that made others would forget them."""

    def keys():
        present = throttle_service
        day = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)
        with time_machine.travel(day, tick=False):
            login = present.login_guards("ann@example.com", "2001:db8::1", is_known=False)
        known = present.login_guards("ann@example.com", None, is_known=True)
        device = present.device_guards("ann@example.com", "a token")
        own = present.own_guards(7, 8)
        assert login.unknown_network is not None
        return {
            "account": present.login_key(" Ann@Example.com"),
            "login": [key[::8] for key in login.keys],
            "network": login.unknown_network.network_key == login.keys[2],
            "anywhere": login.unknown_network.anywhere_key == login.keys[3],
            "turn": login.unknown_network.place,
            "nowhere": [key[32:] for key in known.keys],
            "device": device.keys[0][32:],
            "own": own.keys[0],
            "place": present.place_key("192.0.2.1"),
        }

    assert inside(app, keys) == {
        "account": "edf762de027ecca50a6c960b354a33f4",
        "login": [
            "e003c317",
            "e003c36a",
            "e00338d8",
            "e003e81f",
            "c317e81f",
            "c36ae81f",
            "38d8e81f",
        ],
        "network": True,
        "anywhere": True,
        "turn": 67555268,
        "nowhere": ["2f6ac503b6c3a9c752f3f2d0f2274d74"],
        "device": "90ac875d728cde246376a7e033c68330",
        "own": "a5f4cff78b647a75439f11ffe7e012238eb83c34e4f09cb63ae73cc6a942aded",
        "place": "k5d94c315e6bfbe23099a69825dc5fb0",
    }


@pytest.mark.parametrize(
    ("is_known", "free", "in_a_row", "locks"),
    [
        (True, [5, 10, 20], [True] * 3, [True] * 3),
        (False, [5, 10, 20, 50, 1000, 2000, 4000], [True] * 3 + [False] * 4, [True] * 3 + [False] + [True] * 3),
    ],
)  # fmt: skip
def test_a_sign_in_has_these_counters(app, is_known, free, in_a_row, locks):
    guards = inside(app, throttle_service.login_guards, "ann@example.com", "2001:db8::1", is_known)

    assert [counter.free for counter in guards.counters] == free
    assert [counter.in_a_row for counter in guards.counters] == in_a_row
    assert [counter.locks for counter in guards.counters] == locks
    assert (guards.unknown_network is None) == is_known


def test_a_device_and_a_session_have_one_counter_each(app):
    (device,) = inside(app, throttle_service.device_guards, "ann@example.com", "a token").counters
    (own,) = inside(app, throttle_service.own_guards, 7, 8).counters

    assert (device.free, device.in_a_row, device.locks) == (10, True, True)
    assert device.first == device.longest == timedelta(days=1)
    assert (own.free, own.first, own.longest) == (5, timedelta(seconds=30), timedelta(minutes=15))


def test_a_network_has_three_places_or_none(app, environ):
    former = {"SECRET_KEY_FALLBACKS": ",".join(str(number) * 40 for number in range(4))}
    several = create_app(Testing({**environ, **former}))

    places = [inside(shop, throttle_service.place_keys, "192.0.2.1") for shop in (app, several)]

    assert [len({*keys}) for keys in places] == [1, 3]
    assert [len(keys) for keys in places] == [3, 3]
    assert all(len(key) == 32 and key[0] == "k" for keys in places for key in keys)
    assert inside(app, throttle_service.place_keys, None) == []
    assert inside(app, throttle_service.place_key, None) is None


@pytest.mark.races
def test_guessing_in_parallel_gains_nothing(app, account):
    guesses = [lambda: login(Caller(app), password=WRONG) for _ in range(20)]

    answers = at_once(guesses)

    assert statuses(answers) == [401] * 5 + [429] * 15
    assert {row.failures for row in rows(app, LoginThrottle)} == {5}

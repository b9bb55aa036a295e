"""Strangers who keep guessing: whom they keep out, and how many guesses they get.

The clock is moved, so that days of guessing take seconds.
"""

import itertools
from datetime import timedelta

import pytest
import time_machine

from app.domain.clock import utc_now
from app.domain.people import guessing
from app.models import LoginThrottle
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller
from tests.integration.people import EMAIL, bearer, login, make_user, rows

pytestmark = [pytest.mark.thorough, pytest.mark.usefixtures("midday")]

WRONG = "not the password"
HOME = "192.0.2.1"
DEVICE = "X-Device-Token"


@pytest.fixture
def account(app):
    """An account for EMAIL, that nobody has signed in to."""
    return make_user(app)


@pytest.fixture
def clock():
    """A clock that stands still until it is moved."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller


def sign_in(app, address, password=PASSWORD, device="", email=EMAIL):
    headers = {DEVICE: device} if device else {}
    return login(
        Caller(app), email, password, environ_overrides={"REMOTE_ADDR": address}, headers=headers
    )


def status(app, address, password=PASSWORD, **options):
    return sign_in(app, address, password, **options).status_code


def keep_guessing(app, clock, networks, hours, every=timedelta(minutes=1)):
    """Guess from all networks again and again, each as soon as it may by its Retry-After; how many
    guesses were looked at."""
    end, looked_at = utc_now() + timedelta(hours=hours), 0
    free_at = dict.fromkeys(networks, utc_now())
    while utc_now() < end:
        for network in networks:
            while free_at[network] <= utc_now():
                answer = sign_in(app, network, WRONG)
                looked_at += answer.status_code == 401
                wait = int(answer.headers.get("Retry-After", 0))
                free_at[network] = utc_now() + timedelta(seconds=wait)
                if not wait and answer.status_code != 401:
                    raise AssertionError(answer.status_code)
        clock.move_to(max(min(free_at.values()), utc_now() + every))
    return looked_at


def test_fifty_networks_of_one_ipv6_customer_keep_nobody_out(app, clock, account):
    strangers = [f"2001:db8:0:{number:x}::1" for number in range(50)]

    guesses = [status(app, stranger, WRONG) for stranger in strangers].count(401)
    guesses += keep_guessing(app, clock, strangers[:1], hours=12)

    assert status(app, "2001:db8:1::1") == 200
    assert status(app, "198.51.100.7") == 200
    # As one network: 20 free ones, and not more than one every quarter of an hour.
    assert guesses <= 20 + 12 * 4


def test_the_owner_gets_in_on_every_new_network_while_strangers_guess_at_each_expiry(
    app, clock, account, monkeypatch
):
    monkeypatch.setattr(guessing, "FREE_FROM_ANYWHERE", 10)
    strangers = [f"203.0.113.{number}" for number in range(6)]
    guesses = 0
    for day in range(2):
        guesses += keep_guessing(app, clock, strangers, hours=24, every=timedelta(hours=1))
        assert status(app, f"198.51.100.{day}") == 200

    assert guesses <= 2 * (guessing.FREE_FROM_ANYWHERE + 6 * 8)


def test_a_known_network_and_a_marked_device_get_in_whatever_strangers_do(
    app, clock, account, monkeypatch
):
    monkeypatch.setattr(guessing, "FREE_FROM_ANYWHERE", 5)
    monkeypatch.setattr(guessing, "NETWORKS_AT_ONCE", 1)
    device = sign_in(app, HOME).headers[DEVICE]
    strangers = [f"203.0.113.{number}" for number in range(8)]

    keep_guessing(app, clock, strangers, hours=2)
    sign_in(app, strangers[0], WRONG)  # which uses up its turn, if that has just come

    assert status(app, HOME) == 200
    assert status(app, strangers[0]) == 429
    assert status(app, strangers[0], device=device) == 200


def test_more_networks_than_have_room_take_turns_and_each_gets_one(
    app, clock, account, monkeypatch
):
    monkeypatch.setattr(guessing, "FREE_FROM_ANYWHERE", 8)
    monkeypatch.setattr(guessing, "NETWORKS_AT_ONCE", 4)
    strangers = [f"203.0.113.{number}" for number in range(16)]
    clock.move_to(utc_now().replace(hour=1, minute=0) + timedelta(days=1))
    for _ in range(12):  # until sixteen networks have failed, which makes four turns
        for stranger in strangers:
            sign_in(app, stranger, WRONG)
        clock.shift(timedelta(hours=1))

    fresh = [f"198.51.100.{number}" for number in range(40)]
    waits = [int(sign_in(app, address, WRONG).headers.get("Retry-After", 0)) for address in fresh]
    owners = "192.0.2.77"
    wait = int(sign_in(app, owners).headers.get("Retry-After", 0))

    assert 0 < sum(not wait for wait in waits) < 40, "some have their turn now, others later"
    if wait:
        clock.shift(timedelta(seconds=wait))
        # Strangers cannot take the turn of another network, however often they ask.
        for stranger in strangers * 3:
            sign_in(app, stranger, WRONG)
        again = sign_in(app, owners)
        while again.status_code == 429:  # more networks, more turns
            clock.shift(timedelta(seconds=int(again.headers["Retry-After"])))
            again = sign_in(app, owners)
        assert again.status_code == 200


def test_what_a_device_fails_locks_no_network_and_the_other_way_round(app, account):
    device = sign_in(app, HOME).headers[DEVICE]

    assert [status(app, HOME, WRONG) for _ in range(6)] == [401] * 5 + [429]
    assert status(app, HOME, WRONG, device=device) == 401
    assert status(app, HOME, device=device) == 200
    assert status(app, HOME) == 429


def test_a_device_that_guesses_counts_like_any_other(app, account):
    device = sign_in(app, HOME).headers[DEVICE]
    thief = "203.0.113.1"

    guesses = [status(app, thief, WRONG, device=device) for _ in range(20)]

    assert guesses == [401] * 15 + [429] * 5  # ten as a marked device, five as a stranger
    assert status(app, HOME) == 200


def test_a_success_starts_the_count_of_a_device_afresh_and_gives_a_new_token(app, account):
    device = sign_in(app, HOME).headers[DEVICE]
    for _ in range(9):
        sign_in(app, HOME, WRONG, device=device)

    renewed = sign_in(app, HOME, device=device).headers[DEVICE]

    assert renewed != device
    assert [status(app, HOME, WRONG, device=renewed) for _ in range(10)] == [401] * 10
    assert status(app, HOME, device=renewed) == 200  # as a known network by now


def test_a_token_is_of_one_account_and_of_one_password(app, account):
    make_user(app, email="bob@example.com")
    device = sign_in(app, HOME).headers[DEVICE]
    for _ in range(5):
        sign_in(app, HOME, WRONG, email="bob@example.com", device=device)
        sign_in(app, HOME, WRONG)
    assert status(app, HOME, email="bob@example.com", device=device) == 429

    answer = sign_in(app, HOME, device=device)
    token = answer.json["access_token"]
    change = {"current_password": PASSWORD, "new_password": "a rather different phrase"}
    Caller(app, **bearer(token)).post("/api/users/me/password", json=change)

    old = answer.headers[DEVICE]
    assert status(app, HOME, "a rather different phrase", device=old) == 429


def test_a_device_keeps_the_tokens_of_several_accounts(app, account):
    device = ""
    for number in range(7):
        make_user(app, email=f"p{number}@example.com")
        device = sign_in(app, HOME, email=f"p{number}@example.com", device=device).headers[DEVICE]
    tokens = device.split("~")

    assert len(tokens) == 5
    for number in (2, 6):
        email = f"p{number}@example.com"
        for _ in range(5):
            sign_in(app, HOME, WRONG, email=email)
        assert status(app, HOME, email=email) == 429
        assert status(app, HOME, email=email, device=device) == 200


@pytest.mark.parametrize(
    "device",
    ["x" * 400, "~" * 300, "é~", "a.b", f"{'A' * 22}.{'B' * 43}", "A" * 22 + "." + "é" * 43],
)
def test_a_token_that_is_none_is_ignored(app, account, device):
    headers = {DEVICE: device.encode().decode("latin-1")}

    answer = login(Caller(app), headers=headers)

    assert answer.status_code == 200
    assert answer.headers[DEVICE] != device


def test_a_token_of_the_key_before_is_good_and_its_count_begins_anew(app, account, monkeypatch):
    device = sign_in(app, HOME).headers[DEVICE]
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [app.config["SECRET_KEY"]])
    monkeypatch.setitem(app.config, "SECRET_KEY", "another-secret-of-more-than-32-bytes!!")
    for _ in range(5):
        sign_in(app, HOME, WRONG)

    assert status(app, HOME) == 429
    assert status(app, HOME, device=device) == 200


def test_a_known_network_stays_known_with_a_new_key(app, clock, account, monkeypatch):
    monkeypatch.setattr(guessing, "FREE_FROM_ANYWHERE", 5)
    sign_in(app, HOME)
    monkeypatch.setitem(app.config, "SECRET_KEY_FALLBACKS", [app.config["SECRET_KEY"]])
    monkeypatch.setitem(app.config, "SECRET_KEY", "another-secret-of-more-than-32-bytes!!")
    for number in range(6):
        sign_in(app, f"203.0.113.{number}", WRONG)

    assert [status(app, HOME, WRONG) for _ in range(2)] == [401, 401]


def test_the_pages_mark_the_browser_in_a_cookie_that_scripts_cannot_read(app, account):
    browser = Browser(app)
    browser.sign_in(EMAIL)
    cookie = browser.cookie("device")

    assert (cookie.http_only, cookie.same_site) == (True, "Lax")
    assert cookie.max_age == 365 * 24 * 3600
    browser.get("/account")
    browser.send("/logout")
    assert browser.cookie("device").value == cookie.value

    for _ in range(5):
        sign_in(app, "127.0.0.1", WRONG)
    assert Browser(app).sign_in(EMAIL).status_code == 429
    assert browser.sign_in(EMAIL).status_code == 303


def test_who_registers_is_marked_at_once(app):
    browser = Browser(app)
    browser.get("/register")
    browser.send("/register", email=EMAIL, password=PASSWORD)

    assert browser.cookie("device").value


def test_nothing_stored_can_be_found_by_hashing_all_addresses(app, account):
    import hashlib

    sign_in(app, HOME)
    sign_in(app, HOME, WRONG)

    guesses = {
        hashlib.sha256(f"{prefix}{text}".encode()).hexdigest()[:32]
        for prefix, text in itertools.product(("network:", "email:", ""), (HOME, EMAIL))
    }
    keys = {row.key for row in rows(app, LoginThrottle)}
    assert keys
    assert not any(guess in key for guess, key in itertools.product(guesses, keys))

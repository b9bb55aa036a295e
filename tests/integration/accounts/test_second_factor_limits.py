"""Codes cannot be guessed, in parallel or one after another, and one code signs in once."""

from datetime import timedelta

import pytest
import time_machine

from app.domain.clock import utc_now
from app.domain.people import guessing
from app.models import LoginThrottle, Session
from tests.integration.conftest import Caller
from tests.integration.people import at_once, login, make_user, rows, signed_in_as, statuses
from tests.integration.second_factors import WRONG, first_step, make_owner, second_step, set_up

HOME, ELSEWHERE = "192.0.2.1", "198.51.100.7"


@pytest.fixture(autouse=True)
def clock():
    """A clock that stands still until it is moved."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def owner(app):
    """EMAIL with a second factor."""
    return make_owner(app)


def at(address):
    """The option that lets a request come from a network address."""
    return {"environ_overrides": {"REMOTE_ADDR": address}}


def guess(app, times, address=ELSEWHERE):
    """The codes of the answers to so many wrong codes, each in a step of its own."""
    return [
        second_step(Caller(app), first_step(app, **at(address)), WRONG, **at(address)).json["code"]
        for _ in range(times)
    ]


def test_the_sixth_code_is_not_looked_at(app, owner):
    assert guess(app, 7) == ["invalid_code"] * 5 + ["too_many_attempts"] * 2

    answer = second_step(
        Caller(app), first_step(app, **at(ELSEWHERE)), owner.authenticator.code(), **at(ELSEWHERE)
    )

    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 30


def test_a_lock_ends_and_the_next_is_twice_as_long(app, owner, clock):
    guess(app, 5)
    clock.shift(31)

    assert guess(app, 2) == ["invalid_code", "too_many_attempts"]
    clock.shift(31)
    assert guess(app, 1) == ["too_many_attempts"]
    clock.shift(30)
    token = first_step(app, **at(ELSEWHERE))
    answer = second_step(Caller(app), token, owner.authenticator.code(), **at(ELSEWHERE))
    assert answer.status_code == 200


def test_a_right_code_ends_the_count(app, owner, clock):
    guess(app, 4)
    token = first_step(app, **at(ELSEWHERE))
    second_step(Caller(app), token, owner.authenticator.code(), **at(ELSEWHERE))

    assert guess(app, 5) == ["invalid_code"] * 5


def test_guesses_elsewhere_do_not_lock_a_network_that_signed_in_before(app, owner):
    guess(app, 6)

    answer = second_step(Caller(app), first_step(app), owner.authenticator.code())

    assert answer.status_code == 200


def test_many_networks_lock_strange_ones_for_the_day_but_not_the_owner(app, owner, clock):
    for number in range(50):
        assert guess(app, 1, f"203.0.113.{number}") == ["invalid_code"]

    assert guess(app, 1, ELSEWHERE) == ["too_many_attempts"]
    clock.shift(timedelta(hours=1))
    assert guess(app, 1, ELSEWHERE) == ["too_many_attempts"]
    answer = second_step(Caller(app), first_step(app), owner.authenticator.code())
    assert answer.status_code == 200
    clock.move_to((utc_now() + timedelta(days=1)).replace(hour=0, minute=1))
    assert guess(app, 1, ELSEWHERE) == ["invalid_code"]


def test_a_device_that_signed_in_before_gets_in_whatever_others_do(app, owner, clock):
    answer = second_step(Caller(app), first_step(app), owner.authenticator.code())
    device = {"X-Device-Token": answer.headers["X-Device-Token"]}
    clock.shift(30)
    for number in range(50):
        guess(app, 1, f"203.0.113.{number}")
    guess(app, 6)

    token = first_step(app, **at(ELSEWHERE))
    answer = second_step(Caller(app, **device), token, owner.authenticator.code(), **at(ELSEWHERE))

    assert answer.status_code == 200


def test_a_device_that_guesses_counts_like_any_other(app, owner, clock):
    answer = second_step(Caller(app), first_step(app), owner.authenticator.code())
    phone = Caller(app, **{"X-Device-Token": answer.headers["X-Device-Token"]})
    clock.shift(30)

    codes = [second_step(phone, first_step(app), WRONG).json["code"] for _ in range(16)]

    assert codes == ["invalid_code"] * 15 + ["too_many_attempts"]


def test_devices_from_before_the_set_up_have_no_tries_of_their_own(app):
    make_user(app)
    devices = [login(Caller(app)).headers["X-Device-Token"] for _ in range(12)]
    set_up(signed_in_as(app))

    codes = []
    for device in devices:
        phone = Caller(app, **{"X-Device-Token": device})
        token = first_step(app, **at(ELSEWHERE))
        codes.append(second_step(phone, token, WRONG, **at(ELSEWHERE)).json["code"])

    assert codes == ["invalid_code"] * 5 + ["too_many_attempts"] * 7


def test_networks_from_before_the_set_up_are_strange(app):
    make_user(app)
    networks = [f"203.0.113.{number}" for number in range(12)]
    for network in networks:
        login(Caller(app), **at(network))
    set_up(signed_in_as(app))

    codes = [code for network in networks for code in guess(app, 5, network)]

    assert codes == ["invalid_code"] * 50 + ["too_many_attempts"] * 10


def test_all_known_devices_together_have_a_limit_a_day(app, owner, clock, monkeypatch):
    monkeypatch.setattr(guessing, "FREE_FROM_ANYWHERE", 12)
    devices = []
    for _ in range(2):
        answer = second_step(Caller(app), first_step(app), owner.authenticator.code())
        devices.append(Caller(app, **{"X-Device-Token": answer.headers["X-Device-Token"]}))
        clock.shift(30)

    codes = [
        second_step(phone, first_step(app), WRONG).json["code"]
        for phone in devices
        for _ in range(9)
    ]

    assert codes == ["invalid_code"] * 12 + ["too_many_attempts"] * 6


def test_the_counts_are_erased_with_the_account(app, owner):
    guess(app, 2)
    assert rows(app, LoginThrottle)

    owner.caller.delete("/api/users/me", json={"password": "correct horse battery"})

    left = [row for row in rows(app, LoginThrottle) if row.failures and len(row.key) == 64]
    networks_only = [row for row in left if row.failures == 2]
    assert len(left) == len(networks_only) <= 1


@pytest.mark.races
@pytest.mark.thorough
class TestRaces:
    """Eight clients at the same moment."""

    def test_they_get_no_more_tries(self, app, owner):
        steps = [first_step(app, **at(ELSEWHERE)) for _ in range(8)]

        answers = at_once(
            [lambda t=t: second_step(Caller(app), t, WRONG, **at(ELSEWHERE)) for t in steps]
        )

        assert statuses(answers) == [401] * 5 + [429] * 3

    @pytest.mark.parametrize("kind", ["code", "recovery code"])
    def test_one_code_in_eight_steps_signs_in_once(self, app, owner, kind):
        code = {
            "code": owner.authenticator.code(),
            "recovery code": owner.authenticator.recovery_codes[0],
        }[kind]
        steps, before = [first_step(app) for _ in range(8)], len(rows(app, Session))

        answers = at_once([lambda t=t: second_step(Caller(app), t, code) for t in steps])

        assert statuses(answers).count(200) == 1
        assert {answer.status_code for answer in answers} <= {200, 401, 429}
        assert len(rows(app, Session)) == before + 1

    def test_one_step_signs_in_once_and_the_others_are_no_failures(self, app, owner):
        token, before = first_step(app), len(rows(app, Session))
        code = owner.authenticator.code()

        answers = at_once([lambda: second_step(Caller(app), token, code)] * 8)

        assert statuses(answers) == [200] + [401] * 7
        codes = {answer.json.get("code") for answer in answers if answer.status_code == 401}
        assert codes == {"invalid_mfa_token"}
        assert len(rows(app, Session)) == before + 1
        assert not [row for row in rows(app, LoginThrottle) if row.failures]

    def test_a_code_while_the_password_changes_opens_no_session_of_the_old_one(self, app, owner):
        token = first_step(app)
        body = {
            "current_password": "correct horse battery",
            "new_password": "a rather different phrase",
        }

        at_once(
            [
                lambda: second_step(Caller(app), token, owner.authenticator.code()),
                lambda: owner.caller.post("/api/users/me/password", json=body),
            ]
        )

        open_sessions = [session for session in rows(app, Session) if session.ended_at is None]
        assert len(open_sessions) == 1

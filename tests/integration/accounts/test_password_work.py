"""Raising BCRYPT_LOG_ROUNDS: nobody learns from it who has an account, and hashes follow."""

from datetime import timedelta

import bcrypt
import pytest

from app import create_app
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.models import LoginThrottle, User
from app.services.accounts import auth_service, password_hashing
from tests.factories import PASSWORD
from tests.integration.conftest import Caller
from tests.integration.people import (
    EMAIL,
    at_once,
    bearer,
    change,
    inside,
    login,
    make_user,
    only_row,
    rows,
    statuses,
)

OLD_COST, NEW_COST = 4, 7
WRONG = "not the password"


@pytest.fixture
def account(app):
    """An account whose hash was made at the old cost."""
    return make_user(app)


@pytest.fixture
def raised(app, monkeypatch, account):
    """The operator has raised the cost since."""
    monkeypatch.setitem(app.config, "BCRYPT_LOG_ROUNDS", NEW_COST)


@pytest.fixture
def rounds(monkeypatch):
    """How many rounds each hash took that was made meanwhile."""
    taken, hash_password = [], bcrypt.hashpw

    def note(text, salt):
        taken.append(2 ** int(salt[4:6]))
        return hash_password(text, salt)

    monkeypatch.setattr(bcrypt, "hashpw", note)
    return taken


def cost_of_hash(app):
    return only_row(app, User).password_hash[:7]


def test_a_wrong_password_takes_the_present_work_whatever_the_stored_hash_took(
    app, anyone, raised, rounds
):
    spent = {}
    for email in (EMAIL, "nobody@example.com", "no address at all"):
        rounds.clear()
        assert login(anyone, email, WRONG).status_code == 401
        spent[email] = sum(rounds)

    assert set(spent.values()) == {2**NEW_COST}


def test_an_account_without_a_password_takes_the_same_work_and_lets_nobody_in(
    app, anyone, account, rounds
):
    change(app, account, password_hash="!")

    assert login(anyone).status_code == 401
    assert sum(rounds) == 2**OLD_COST


def test_ones_own_wrong_password_takes_the_present_work_too(app, account, monkeypatch, rounds):
    token = login(Caller(app)).json["access_token"]
    monkeypatch.setitem(app.config, "BCRYPT_LOG_ROUNDS", NEW_COST)
    rounds.clear()

    answer = Caller(app, **bearer(token)).delete("/api/users/me", json={"password": WRONG})

    assert answer.status_code == 422
    assert sum(rounds) == 2**NEW_COST


def test_a_sign_in_replaces_the_hash_by_one_of_the_present_cost(app, anyone, raised, rounds):
    assert cost_of_hash(app) == "$2b$04$"

    assert login(anyone).status_code == 200

    assert cost_of_hash(app) == "$2b$07$"
    rounds.clear()
    assert login(anyone).status_code == 200
    assert rounds == [2**NEW_COST]


def test_a_sign_in_after_failures_replaces_it_too(app, anyone, raised):
    assert login(anyone, password=WRONG).status_code == 401

    assert login(anyone).status_code == 200

    assert cost_of_hash(app) == "$2b$07$"


def test_a_wrong_password_replaces_nothing(app, anyone, raised):
    login(anyone, password=WRONG)

    assert cost_of_hash(app) == "$2b$04$"


def test_a_new_hash_is_no_new_password(app, anyone, raised):
    tokens = login(anyone).json

    assert only_row(app, User).password_version == 0
    assert anyone.get("/api/users/me", headers=bearer(tokens["access_token"])).status_code == 200


def test_a_password_that_was_changed_meanwhile_is_not_replaced(app, raised):
    attempt = inside(app, auth_service.try_credentials, EMAIL, PASSWORD)
    assert attempt.new_hash
    token = login(Caller(app)).json["access_token"]
    wish = {"current_password": PASSWORD, "new_password": "a rather different phrase"}
    assert Caller(app, **bearer(token)).post("/api/users/me/password", json=wish).status_code == 204
    stored = only_row(app, User).password_hash

    outcome = inside(
        app, lambda: in_transaction(lambda: auth_service.sign_in(attempt, timedelta(days=1)))
    )

    assert outcome.code == "invalid_credentials"
    assert only_row(app, User).password_hash == stored


def test_a_hash_that_was_replaced_meanwhile_does_not_refuse_the_right_password(app, raised):
    attempt = inside(app, auth_service.try_credentials, EMAIL, PASSWORD)
    assert login(Caller(app)).status_code == 200
    stored = only_row(app, User).password_hash

    outcome = inside(
        app, lambda: in_transaction(lambda: auth_service.sign_in(attempt, timedelta(days=1)))
    )

    assert outcome.user_id == only_row(app, User).id
    assert only_row(app, User).password_hash == stored


@pytest.mark.races
def test_of_sign_ins_at_the_same_time_all_succeed_and_one_hash_is_left(app, raised):
    answers = at_once([lambda: login(Caller(app)) for _ in range(8)])

    assert statuses(answers) == [200] * 8
    assert cost_of_hash(app) == "$2b$07$"
    assert rows(app, LoginThrottle) == []


def test_each_app_of_a_process_has_its_own_cost(app, environ):
    other = create_app(Testing({**environ, "BCRYPT_LOG_ROUNDS": "5"}))

    costs = [inside(each, password_hashing.hash_password, PASSWORD)[:7] for each in (app, other)]

    assert costs == ["$2b$04$", "$2b$05$"]

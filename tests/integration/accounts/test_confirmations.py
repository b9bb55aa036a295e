"""Addresses of accounts: confirmed by a link, and replaced once the new one is confirmed."""

from datetime import timedelta

import pytest
import time_machine

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.models import AccountToken, Mail, Session
from app.services.accounts import own_sessions
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import Caller, signed_in
from tests.integration.links import mails, newest_link, newest_token
from tests.integration.people import (
    EMAIL,
    at_once,
    inside,
    login,
    make_user,
    only_row,
    rows,
    signed_in_as,
    statuses,
)
from tests.integration.second_factors import set_up
from tests.integration.shopping import order, stock

VERIFY, CHANGE = "/api/auth/email/verify", "/api/users/me/email"
NEW = "ann@example.org"


@pytest.fixture
def ann(app):
    """EMAIL, signed in."""
    make_user(app)
    return signed_in_as(app)


def verify(app, token):
    return Caller(app).post(VERIFY, json={"token": token})


def ask(caller, new_email=NEW, password=PASSWORD):
    return caller.post(CHANGE, json={"new_email": new_email, "password": password})


def me(caller):
    return caller.get("/api/users/me").json


def test_registering_sends_a_link_that_confirms_the_address_once(app):
    made = Caller(app).post("/api/auth/register", json={"email": EMAIL, "password": PASSWORD})
    assert made.json["email_verified"] is False
    assert newest_link(app, "email_confirmation").startswith("/email/verify?token=")
    token = newest_token(app, "email_confirmation")

    assert verify(app, token).status_code == 204
    assert me(signed_in_as(app))["email_verified"] is True
    assert verify(app, token).json["code"] == "token_invalid"


def test_a_shop_may_require_a_confirmed_address_of_accounts_that_order(app, monkeypatch):
    monkeypatch.setitem(app.config, "REQUIRE_EMAIL_VERIFIED", True)
    product = inside(app, factories.product, stock=50)
    Caller(app).post("/api/auth/register", json={"email": EMAIL, "password": PASSWORD})
    ann = signed_in_as(app)

    refused = order(ann, product)
    assert (refused.status_code, refused.json["code"]) == (409, "email_not_verified")
    assert stock(app, product) == (50, 0)

    verify(app, newest_token(app, "email_confirmation"))
    assert ann.post("/api/orders", json={}).status_code == 201
    assert order(Caller(app), product, email="guest@example.com").status_code == 201


def test_a_new_address_takes_effect_when_it_is_confirmed(app, ann):
    assert (ask(ann).status_code, me(ann)["email"]) == (202, EMAIL)
    (mail,) = mails(app, "email_confirmation")
    assert mail.recipient == NEW

    assert verify(app, newest_token(app, "email_confirmation")).status_code == 204
    assert (me(ann)["email"], me(ann)["email_verified"]) == (NEW, True)
    assert [mail.recipient for mail in mails(app, "email_changed")] == [EMAIL]
    assert login(Caller(app)).status_code == 401
    assert login(Caller(app), NEW).status_code == 200


def test_a_wrong_password_changes_nothing(app, ann):
    answer = ask(ann, password="wrong")

    assert (answer.status_code, list(answer.json["errors"])) == (422, ["password"])
    assert rows(app, AccountToken) == []


def test_a_taken_address_is_told_only_to_whoever_reads_its_mails(app, ann):
    make_user(app, email=NEW)
    free, taken = ask(ann, "free@example.org"), ask(ann)
    assert (free.status_code, free.data) == (taken.status_code, taken.data) == (202, b"")

    answer = verify(app, newest_token(app, "email_confirmation"))
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")
    assert me(ann)["email"] == EMAIL


def test_a_new_password_makes_links_to_new_addresses_invalid(app, ann):
    ask(ann)
    token = newest_token(app, "email_confirmation")
    body = {"current_password": PASSWORD, "new_password": "a rather different phrase"}
    assert ann.post("/api/users/me/password", json=body).status_code == 204

    assert verify(app, token).json["code"] == "token_invalid"


def test_a_newer_link_to_a_new_address_ends_the_one_before(app, ann):
    ask(ann, "wrong@example.org")
    first = newest_token(app, "email_confirmation")
    ask(ann)

    assert verify(app, first).json["code"] == "token_invalid"
    assert verify(app, newest_token(app, "email_confirmation")).status_code == 204


def test_a_second_factor_ends_links(app, ann):
    ask(ann)
    token = newest_token(app, "email_confirmation")
    set_up(ann)

    assert verify(app, token).json["code"] == "token_invalid"


@pytest.mark.parametrize("sort", ["everywhere", "elsewhere"])
def test_signing_out_ends_links(app, ann, sort):
    ask(ann)
    token = newest_token(app, "email_confirmation")
    sign_out = getattr(own_sessions, f"sign_out_{sort}")
    session = only_row(app, Session)
    actor = Actor(role="customer", user_id=session.user_id, session_id=session.id)
    inside(app, lambda: in_transaction(lambda: sign_out(actor)))

    assert verify(app, token).json["code"] == "token_invalid"


def test_an_account_that_is_active_again_has_no_links_from_before(app, ann):
    ask(ann)
    token = newest_token(app, "email_confirmation")
    admin, url = signed_in(app, role="admin"), f"/api/users/{me(ann)['id']}"
    for is_active in (False, True):
        assert admin.patch(url, json={"is_active": is_active}).status_code == 200

    assert verify(app, token).json["code"] == "token_invalid"


def test_an_address_that_was_replaced_gives_no_more_links(app, ann):
    for _ in range(5):
        ask(ann)
    verify(app, newest_token(app, "email_confirmation"))

    assert ask(ann, "third@example.org").status_code == 429


def test_an_address_gets_ten_mails_a_day_from_all_accounts_together(app):
    answers = []
    for number in range(3):
        email = f"user{number}@example.com"
        make_user(app, email=email)
        caller = signed_in_as(app, email)
        answers += [ask(caller, new).status_code for new in (NEW, NEW, NEW, NEW, NEW.upper())]

    assert answers == [202] * 15
    assert len(mails(app, "email_confirmation")) == 10
    with time_machine.travel(utc_now() + timedelta(days=1, minutes=1), tick=True):
        make_user(app, email="late@example.com")
        ask(signed_in_as(app, "late@example.com"))
        assert len(mails(app, "email_confirmation")) == 11


def test_links_are_valid_for_a_day_and_five_are_sent(app, ann):
    assert [ask(ann).status_code for _ in range(6)] == [202] * 5 + [429]
    token = newest_token(app, "email_confirmation")

    with time_machine.travel(utc_now() + timedelta(hours=25), tick=True):
        assert verify(app, token).json["code"] == "token_invalid"


def test_the_present_address_gets_another_link_until_it_is_confirmed(app, ann):
    assert ask(ann, EMAIL).status_code == 202
    assert only_row(app, AccountToken).purpose == "verify"
    assert verify(app, newest_token(app, "email_confirmation")).status_code == 204

    assert ask(ann, EMAIL).status_code == 202
    assert len([row for row in rows(app, Mail) if row.template == "email_confirmation"]) == 1


@pytest.mark.races
def test_of_eight_at_once_one_counts(app, ann):
    ask(ann)
    token = newest_token(app, "email_confirmation")

    assert statuses(at_once([lambda: verify(app, token)] * 8)) == [204] + [422] * 7


@pytest.mark.races
def test_of_two_who_want_one_address_one_gets_it(app, ann):
    make_user(app, email="bob@example.com")
    tokens = []
    for caller in (ann, signed_in_as(app, "bob@example.com")):
        ask(caller)
        tokens.append(newest_token(app, "email_confirmation"))

    answers = at_once([lambda token=token: verify(app, token) for token in tokens])
    assert statuses(answers) == [204, 409]

"""A new password gives the browser a new session, and all sessions can be ended at once."""

import pytest

from app.models import Session
from tests.factories import PASSWORD
from tests.integration.browsing import Browser, hidden_fields
from tests.integration.conftest import Caller
from tests.integration.people import (
    EMAIL,
    at_once,
    bearer,
    login,
    make_user,
    me,
    refresh,
    rows,
    signed_in_as,
    statuses,
)

NEW_PASSWORD = "a rather different phrase"
CHANGE = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}


@pytest.fixture
def ann(app):
    """A browser that is signed in as EMAIL."""
    make_user(app, first_name="Ann")
    browser = Browser(app)
    browser.sign_in(EMAIL)
    return browser


def copy_of(browser, *names):
    """Another browser with the same cookies, as a thief would have it."""
    thief = Browser(browser.app)
    for name in names:
        thief.client.set_cookie(name, browser.cookie(name).value)
    return thief


def open_sessions(app):
    return [session.id for session in rows(app, Session) if session.ended_at is None]


def test_a_new_password_gives_the_browser_a_new_session(app, ann):
    thief = copy_of(ann, "sign_in", "visit")
    assert thief.get("/account").status_code == 200
    (before,) = open_sessions(app)
    ann.get("/account/password")

    answer = ann.send("/account/password", **CHANGE)

    assert answer.status_code == 303
    assert ann.get("/account").status_code == 200
    assert thief.get("/account").status_code == 303
    (after,) = open_sessions(app)
    assert after != before


def test_forms_from_before_a_new_password_are_void(app, ann):
    old = hidden_fields(ann.get("/account/profile").text)
    ann.get("/account/password")
    ann.send("/account/password", **CHANGE)

    answer = ann.client.post("/account/profile", data={**old, "first_name": "Eve"})

    assert answer.status_code == 403


def test_a_new_password_marks_the_browser_anew(app, ann):
    before = ann.cookie("device").value
    ann.get("/account/password")
    ann.send("/account/password", **CHANGE)
    after = ann.cookie("device").value

    for _ in range(5):
        login(Caller(app), password="wrong")

    assert before != after
    old = Caller(app, **{"X-Device-Token": before})
    new = Caller(app, **{"X-Device-Token": after})
    assert login(old, password=NEW_PASSWORD).status_code == 429
    assert login(new, password=NEW_PASSWORD).status_code == 200


def test_a_wrong_password_leaves_the_session_as_it_is(app, ann):
    before = open_sessions(app)
    ann.get("/account/password")

    answer = ann.send("/account/password", **{**CHANGE, "current_password": "wrong"})

    assert answer.status_code == 422
    assert open_sessions(app) == before
    assert ann.get("/account").status_code == 200


def test_a_client_of_the_api_keeps_its_session_and_gets_a_new_device_token(app):
    make_user(app)
    answer = login(Caller(app))
    tokens, device = answer.json, answer.headers["X-Device-Token"]
    headers = {**bearer(tokens["access_token"]), "X-Device-Token": device}

    changed = Caller(app).post("/api/users/me/password", json=CHANGE, headers=headers)

    assert changed.status_code == 204
    assert changed.headers["X-Device-Token"] not in ("", device)
    assert me(Caller(app), tokens["access_token"]).status_code == 200
    assert refresh(Caller(app), tokens["refresh_token"]).status_code == 200


def test_the_api_ends_all_sessions_of_the_caller_and_of_nobody_else(app, ann):
    make_user(app, email="bob@example.com")
    bob = signed_in_as(app, "bob@example.com")
    tokens = login(Caller(app)).json

    answer = Caller(app, **bearer(tokens["access_token"])).delete("/api/users/me/sessions")

    assert (answer.status_code, answer.data) == (204, b"")
    assert me(Caller(app), tokens["access_token"]).status_code == 401
    assert refresh(Caller(app), tokens["refresh_token"]).status_code == 401
    assert ann.get("/account").status_code == 303
    assert bob.get("/api/users/me").status_code == 200
    assert login(Caller(app)).status_code == 200


def test_the_account_page_signs_out_everywhere(app, ann):
    phone = signed_in_as(app)
    ann.get("/account")

    answer = ann.send("/account/sign-out-everywhere")

    assert "You are signed out everywhere." in ann.follow(answer).text
    assert ann.cookie("sign_in") is None
    assert phone.get("/api/users/me").status_code == 401
    assert open_sessions(app) == []


@pytest.mark.races
def test_two_who_sign_out_everywhere_at_once(app):
    make_user(app)
    callers = [signed_in_as(app) for _ in range(4)]

    answers = at_once([lambda c=c: c.delete("/api/users/me/sessions") for c in callers])

    assert set(statuses(answers)) <= {204, 401}
    assert 204 in statuses(answers)
    assert open_sessions(app) == []

"""Keys are replaced while people are signed in: nobody is signed out, and no form is lost."""

import pytest
from flask import Flask

from app import create_app
from app.config import Testing
from app.domain.people import guessing
from tests.integration.browsing import Browser, form_of, hidden_fields
from tests.integration.conftest import Caller
from tests.integration.people import EMAIL, login, make_user, me, refresh

pytestmark = pytest.mark.thorough

NEW = "a-new-key-of-more-than-thirty-two-bytes"
NEW_OF_TOKENS = f"{NEW}-for-tokens"
OLDER = "an-older-key-of-more-than-thirty-two-bytes"


@pytest.fixture
def replaced(app, environ):
    """The same shop after its keys were replaced: it believes the old ones, if `believing` says so."""

    def build(believing: bool = True) -> Flask:
        settings = {**environ, "SECRET_KEY": NEW, "JWT_SECRET_KEY": NEW_OF_TOKENS}
        if believing:
            settings["SECRET_KEY_FALLBACKS"] = f"{OLDER}, {environ['SECRET_KEY']}"
            settings["JWT_SECRET_KEY_PREVIOUS"] = f"{OLDER}, {environ['JWT_SECRET_KEY']}"
        return create_app(Testing(settings))

    return build


def moved(browser: Browser, app: Flask) -> Browser:
    """The same browser, with its cookies, at another server of the shop."""
    browser.client.application = browser.app = app
    return browser


@pytest.fixture
def tokens(app):
    """What Ann got when she signed in by the API, under the old keys."""
    make_user(app)
    return login(Caller(app)).json


@pytest.fixture
def ann(app):
    """A browser in which Ann signed in under the old keys."""
    make_user(app)
    browser = Browser(app)
    assert browser.sign_in(EMAIL).status_code == 303
    return browser


def test_a_token_of_the_old_key_is_believed_and_traded_for_one_of_the_new(tokens, replaced):
    caller = Caller(replaced())

    assert me(caller, tokens["access_token"]).status_code == 200
    pair = refresh(caller, tokens["refresh_token"]).json
    assert me(Caller(replaced(believing=False)), pair["access_token"]).status_code == 200


def test_a_key_that_is_dropped_is_believed_no_longer(tokens, replaced):
    caller = Caller(replaced(believing=False))

    assert me(caller, tokens["access_token"]).status_code == 401
    assert refresh(caller, tokens["refresh_token"]).status_code == 401


def test_servers_that_know_a_key_before_it_signs_take_its_tokens(app, environ, replaced):
    make_user(app)
    early = create_app(Testing({**environ, "JWT_SECRET_KEY_PREVIOUS": NEW_OF_TOKENS}))

    pair = login(Caller(replaced())).json

    assert me(Caller(early), pair["access_token"]).status_code == 200
    assert me(Caller(app), pair["access_token"]).status_code == 401


def test_on_the_pages_nobody_is_signed_out(ann, replaced):
    assert moved(ann, replaced()).get("/account").status_code == 200
    assert moved(ann, replaced(believing=False)).get("/account").status_code == 303


def test_a_form_that_was_opened_before_is_taken_after(ann, replaced):
    page = ann.get("/account/profile")
    fields = hidden_fields(form_of(page.text, "/account/profile"))
    fields |= {"first_name": "Anna", "last_name": "Lee", "email": EMAIL}

    taken = moved(ann, replaced()).client.post("/account/profile", data=fields)
    refused = moved(ann, replaced(believing=False)).client.post("/account/profile", data=fields)

    assert (taken.status_code, refused.status_code) == (303, 403)


def fail(app: Flask, *emails: str) -> None:
    """Guess wrongly, once for each address."""
    for email in emails:
        assert login(Caller(app), email, "not the password").status_code == 401


def test_a_device_that_was_marked_before_is_known_after(app, replaced):
    make_user(app)
    device = {"X-Device-Token": login(Caller(app)).headers["X-Device-Token"]}
    before, without = replaced(), replaced(believing=False)
    fail(before, *[EMAIL] * 5)

    assert login(Caller(before)).status_code == 429
    assert login(Caller(without), headers=device).status_code == 429
    assert login(Caller(before), headers=device).status_code == 200


def test_a_network_that_was_known_to_an_account_before_is_known_after(app, replaced, monkeypatch):
    monkeypatch.setattr(guessing, "FREE_FROM_A_NETWORK", (3, 3, 3))
    make_user(app)
    login(Caller(app))
    before, without = replaced(), replaced(believing=False)
    fail(before, "one@example.com", "two@example.com", "three@example.com")

    assert login(Caller(before), "four@example.com").status_code == 429
    assert login(Caller(without)).status_code == 429
    assert login(Caller(before)).status_code == 200


def test_what_is_signed_from_now_on_needs_no_old_key(app, replaced):
    make_user(app)
    browser = Browser(replaced())
    browser.sign_in(EMAIL)

    assert moved(browser, replaced(believing=False)).get("/account").status_code == 200


def test_the_doctor_reminds_of_keys_that_are_still_believed(replaced):
    said = replaced().test_cli_runner().invoke(args=["doctor"]).output

    assert "secrets: strong enough; further keys are believed" in said

"""Signing in on the pages: cookies, forms of our own only, and ways back."""

import re

import jwt
import pytest
import time_machine
from flask import Flask

from app.config import Production, Testing
from app.models import CartLine, Session, User
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser, hidden_fields
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import EMAIL, bearer, change, make_user, only_row, rows

NEW = {"email": "new@example.com", "password": "a long new password"}


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def ann(app: Flask, browser: Browser) -> Browser:
    """A browser in which Ann is signed in."""
    make_user(app)
    assert browser.sign_in(EMAIL).status_code == 303
    return browser


def test_signing_in_leads_to_the_account(app, browser):
    make_user(app)

    response = browser.sign_in(EMAIL)

    assert (response.status_code, response.headers["Location"]) == (303, "/account")
    assert browser.get("/login").headers["Location"] == "/account"


def test_the_sign_in_cookie_is_out_of_reach_of_scripts_and_other_sites(ann):
    cookie = ann.cookie("sign_in")

    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.path == "/"
    assert not cookie.secure


def test_in_production_every_cookie_is_for_https_alone():
    assert Production.JWT_COOKIE_SECURE
    assert Production.SESSION_COOKIE_SECURE


def test_the_cookie_lives_as_long_as_the_session(app, ann):
    lifetime = app.config["JWT_REFRESH_TOKEN_EXPIRES"]

    assert ann.cookie("sign_in").max_age == int(lifetime.total_seconds())
    with time_machine.travel(only_row(app, Session).created_at + lifetime / 2, tick=True):
        assert ann.get("/login").status_code == 303


@pytest.mark.parametrize("session_id", [0, -1, 2**63, True, "1", None])
def test_a_cookie_of_no_possible_session_is_a_strangers(app, ann, session_id):
    claims = jwt.decode(ann.cookie("sign_in").value, options={"verify_signature": False})
    forged = jwt.encode({**claims, "sid": session_id}, app.config["JWT_SECRET_KEY"], "HS256")
    ann.client.set_cookie("sign_in", forged)

    assert ann.get("/login").status_code == 200


def test_a_cookie_opens_no_door_of_the_api(app, ann):
    assert ann.client.get("/api/users/me").status_code == 401
    assert ann.client.patch("/api/users/me", json={"first_name": "Eve"}).status_code == 401


def test_the_cookies_token_is_none_for_the_api_and_the_apis_none_for_the_pages(app, ann):
    token = ann.cookie("sign_in").value

    assert Caller(app, **bearer(token)).get("/api/users/me").status_code == 401
    access = signed_in(app).headers["Authorization"].removeprefix("Bearer ")
    other = Browser(app)
    other.client.set_cookie("sign_in", access)
    assert "/login" in other.get("/").text


@pytest.mark.parametrize("value", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "\u00e9"])
def test_a_cookie_that_we_did_not_sign_makes_an_anonymous_visitor(app, browser, value):
    browser.client.set_cookie("sign_in", value)

    assert browser.get("/").status_code == 200
    assert browser.get("/login").status_code == 200
    assert not browser.cookie("sign_in") or browser.cookie("sign_in").value == ""


@pytest.mark.parametrize("ended", [{"is_active": False}, {"role": "admin"}])
def test_what_ends_a_session_ends_it_on_the_pages(app, ann, ended):
    admin = signed_in(app, role="admin")
    user = rows(app, User)[0]

    assert admin.patch(f"/api/users/{user.id}", json=ended).status_code == 200

    assert ann.get("/account").status_code == 303


def test_signing_out_ends_the_session_everywhere(app, ann):
    token = ann.cookie("sign_in").value
    ann.get("/account")

    response = ann.send("/logout")

    assert response.status_code == 303
    assert ann.cookie("sign_in") is None
    assert only_row(app, Session).ended_at is not None
    thief = Browser(app)
    thief.client.set_cookie("sign_in", token)
    assert thief.get("/account").status_code == 303


def test_a_wrong_password_is_told_beside_the_form_which_keeps_the_address(app, browser):
    make_user(app)

    response = browser.sign_in(EMAIL, "not the password")

    assert response.status_code == 401
    assert "The email or the password is wrong." in response.text
    assert f'value="{EMAIL}"' in response.text
    assert "not the password" not in response.text
    assert browser.cookie("sign_in") is None


def test_too_many_wrong_passwords_are_told_with_how_long_to_wait(app, browser):
    make_user(app)
    for _ in range(5):
        browser.sign_in(EMAIL, "not the password")

    response = browser.sign_in(EMAIL)

    assert response.status_code == 429
    assert int(response.headers["Retry-After"]) > 0
    assert re.search(r"Try again in \d+ seconds", response.text)


def test_the_guests_cart_comes_along(app, browser):
    make_user(app)
    with app.app_context():
        product = factories.product()
    guest = Caller(app)
    token = guest.post("/api/cart/items", json={"product_id": product.id}).headers["X-Cart-Token"]
    browser.client.set_cookie("cart", token)

    browser.sign_in(EMAIL)

    assert only_row(app, CartLine).variant_id == product.variants[0].id
    assert browser.cookie("cart") is None
    assert "<b>1</b>" in browser.get("/").text


def test_people_come_back_to_where_they_wanted_to_go(app, browser):
    make_user(app)
    sent = browser.get("/account/orders?page=2")
    assert sent.headers["Location"] == "/login?next=/account/orders?page%3D2"
    browser.follow(sent)

    response = browser.send("/login", email=EMAIL, password=PASSWORD)

    assert response.headers["Location"] == "/account/orders?page=2"


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_to_another_site(app, browser, target):
    make_user(app)

    assert target not in browser.get("/login", query_string={"next": target}).text
    response = browser.sign_in(EMAIL, next=target)

    assert response.headers["Location"] == "/account"


def test_an_account_is_made_and_signed_in_to(app, browser):
    browser.get("/register")

    response = browser.send("/register", **NEW, first_name="Nia")

    assert response.status_code == 303
    assert only_row(app, User).first_name == "Nia"
    assert "Welcome!" in browser.follow(response).text


def test_what_is_wrong_with_a_new_account_is_told_beside_its_fields(app, browser):
    make_user(app, email="taken@example.com")
    browser.get("/register")

    weak = browser.send("/register", email="nobody", password="short")
    taken = browser.send("/register", **{**NEW, "email": "Taken@Example.com"})

    assert weak.status_code == 422
    assert re.search(
        r'name="email"[^>]*aria-invalid="true"[^>]*aria-describedby="email-said"', weak.text
    )
    assert "Between 8 and 128 characters." in weak.text
    assert taken.status_code == 409
    assert "There is an account with this email address already." in taken.text
    assert len(rows(app, User)) == 1


@pytest.mark.parametrize("field", ["role", "is_active", "price"])
def test_fields_that_are_not_on_the_form_change_nothing(app, browser, field):
    browser.get("/register")

    browser.send("/register", **NEW, **{field: "admin"})

    assert only_row(app, User).role == "customer"


# --- forms of our own only ---


def test_a_form_without_its_token_is_refused(app, browser):
    make_user(app)
    browser.get("/login")

    response = browser.client.post("/login", data={"email": EMAIL, "password": PASSWORD})

    assert response.status_code == 403
    assert "Please send that once more" in response.text
    assert rows(app, Session) == []


def test_another_visitors_token_is_refused(app, browser):
    make_user(app)
    stranger = Browser(app)
    theirs = hidden_fields(stranger.get("/login").text)
    browser.get("/login")

    response = browser.client.post("/login", data={**theirs, "email": EMAIL, "password": PASSWORD})

    assert response.status_code == 403


@pytest.mark.parametrize("token", ["", "x", "====", "é", "A" * 88, "A" * 5000])
def test_a_made_up_token_is_refused(app, browser, token):
    browser.get("/login")

    response = browser.send("/login", csrf_token=token, email=EMAIL, password=PASSWORD)

    assert response.status_code == 403


def test_a_form_from_before_the_sign_in_is_void_after_it(app, browser):
    make_user(app)
    before = hidden_fields(browser.get("/login").text)
    browser.sign_in(EMAIL)

    assert browser.client.post("/logout", data=before).status_code == 403


def test_the_words_of_another_visit_do_not_fit_this_sign_in(app, ann):
    """A neighbouring site that plants its own visit's cookie still knows no token."""
    stranger = Browser(app)
    theirs = hidden_fields(stranger.get("/login").text)
    ann.client.set_cookie("visit", stranger.cookie("visit").value)

    assert ann.client.post("/logout", data=theirs).status_code == 403


PROFILE = {"first_name": "Eve", "last_name": "Eve", "email": EMAIL}


@pytest.mark.parametrize("is_planted", [False, True])
@pytest.mark.parametrize("is_customer", [False, True])
def test_the_token_of_another_account_changes_nothing(app, ann, is_customer, is_planted):
    """Not even where a neighbouring site plants the cookie that belongs to the token."""
    stranger = Browser(app)
    if is_customer:
        make_user(app, email="bob@example.com")
        stranger.sign_in("bob@example.com")
    page = stranger.get("/account/profile" if is_customer else "/login")
    theirs = hidden_fields(page.text)["csrf_token"]
    if is_planted:
        name = app.config["SESSION_COOKIE_NAME"]
        ann.client.set_cookie(name, stranger.cookie(name).value)

    response = ann.client.post("/account/profile", data={**PROFILE, "csrf_token": theirs})

    assert response.status_code == 403
    assert "Eve" not in [user.first_name for user in rows(app, User)]


def test_ones_own_token_of_another_browser_changes_nothing(app, ann):
    elsewhere = Browser(app)
    elsewhere.sign_in(EMAIL)
    token = hidden_fields(elsewhere.get("/account/profile").text)["csrf_token"]

    refused = ann.client.post("/account/profile", data={**PROFILE, "csrf_token": token})
    accepted = elsewhere.client.post("/account/profile", data={**PROFILE, "csrf_token": token})

    assert (refused.status_code, accepted.status_code) == (403, 303)


def test_every_page_masks_the_token_anew(browser):
    first = hidden_fields(browser.get("/login").text)["csrf_token"]
    second = hidden_fields(browser.get("/login").text)["csrf_token"]

    assert first != second


def test_too_many_forms_from_one_address_are_told_so(app, environ):
    from app import create_app

    limited = create_app(Testing({**environ, "RATELIMIT_ENABLED": "true", "RATELIMIT_AUTH": "2 per hour",
                                  "RATELIMIT_STORAGE_URL": "memory://"}))  # fmt: skip
    browser = Browser(limited)
    answers = [browser.sign_in("nobody@example.com").status_code for _ in range(3)]

    assert answers == [401, 401, 429]
    browser.get("/login")
    assert "One moment, please" in browser.send("/login").text


def test_people_who_are_signed_in_are_counted_by_themselves(app, environ):
    from app import create_app

    make_user(app)
    limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "3 per hour"}
    limited = create_app(Testing({**environ, **limits, "RATELIMIT_STORAGE_URL": "memory://"}))
    ann, guest = Browser(limited), Browser(limited)
    ann.sign_in(EMAIL)

    guests = [guest.get("/").status_code for _ in range(4)]

    assert guests[-1] == 429
    assert ann.get("/").status_code == 200


def test_a_deactivated_account_cannot_sign_in(app, browser):
    user = make_user(app)
    change(app, user, is_active=False)

    assert browser.sign_in(EMAIL).status_code == 401

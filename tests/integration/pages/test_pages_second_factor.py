"""The pages of the second factor, in a browser without scripts."""

import re

import pytest
import time_machine

from app.domain.clock import utc_now
from app.models import Cart, SecondFactor, Session
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.people import EMAIL, at_once, inside, make_user, only_row, rows
from tests.integration.second_factors import MFA, WRONG, Authenticator, make_owner

PAGE = "/account/security/second-factor"


@pytest.fixture(autouse=True)
def clock():
    """A clock that stands still until it is moved."""
    with time_machine.travel(utc_now(), tick=False) as traveller:
        yield traveller


@pytest.fixture
def ann(app):
    """A browser that is signed in as EMAIL, without a second factor."""
    make_user(app)
    browser = Browser(app)
    browser.sign_in(EMAIL)
    return browser


@pytest.fixture
def owner(app):
    """EMAIL with a second factor."""
    return make_owner(app)


def begin(browser):
    """Begin the set-up, and read the key on its page."""
    browser.get(PAGE)
    page = browser.follow(browser.send(PAGE, password=PASSWORD))
    (key,) = re.findall('<code class="key">([A-Z2-7 ]+)</code>', page.text)
    return Authenticator(key.replace(" ", ""), [])


def codes_on(page):
    return re.findall("<code>([0-9A-Z-]{19})</code>", page)


def enter(browser, code):
    """Enter a code on the second page of the sign-in, where the browser is."""
    return browser.send("/login/code", code=code)


class TestSetUp:
    """From the page of the account's security to the recovery codes."""

    def test_the_page_leads_to_it(self, ann):
        assert f'href="{PAGE}"' in ann.get("/account/security").text

    def test_a_code_turns_it_on(self, app, ann):
        authenticator = begin(ann)

        answer = ann.send(f"{PAGE}/confirm", code=authenticator.code())

        assert answer.status_code == 200
        assert len(codes_on(answer.text)) == 10
        assert only_row(app, SecondFactor).confirmed_at
        shown = ann.get("/account/security").text
        assert "You have 10 recovery codes left" in shown
        assert not codes_on(shown)

    def test_the_qr_code_is_inline_without_styles_and_scripts(self, ann):
        begin(ann)

        shown = ann.get(f"{PAGE}/confirm")

        (svg,) = re.findall("<svg.*?</svg>", shown.text, re.S)
        assert "style=" not in svg
        assert re.search('<path fill="#fff".*<path class="qrline" stroke="#000"', svg)
        assert "no-store" in shown.headers["Cache-Control"]

    def test_the_key_is_not_shown_again_once_it_is_on(self, ann):
        authenticator = begin(ann)
        ann.send(f"{PAGE}/confirm", code=authenticator.code())

        answer = ann.get(f"{PAGE}/confirm")

        assert answer.status_code == 303
        assert answer.headers["Location"] == "/account/security"

    def test_a_wrong_password_begins_nothing(self, app, ann):
        ann.get(PAGE)

        answer = ann.send(PAGE, password="wrong")

        assert answer.status_code == 422
        assert "This is not your password." in answer.text
        assert rows(app, SecondFactor) == []

    def test_a_wrong_code_is_said_beside_its_field_and_not_repeated(self, ann):
        begin(ann)

        answer = ann.send(f"{PAGE}/confirm", code="987654")

        assert answer.status_code == 422
        assert "This is not the present code" in answer.text
        assert "987654" not in answer.text
        assert "<svg" in answer.text

    def test_a_form_of_an_earlier_state_leads_back(self, app, owner):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))
        enter(browser, owner.authenticator.code())
        browser.get(PAGE)

        answer = browser.send(PAGE, password=PASSWORD)

        assert answer.headers["Location"] == "/account/security"
        assert "has a second factor already" in browser.follow(answer).text


class TestSignIn:
    """The second page of the sign-in."""

    def test_the_password_alone_sets_no_cookie_of_a_session(self, app, owner):
        browser, before = Browser(app), len(rows(app, Session))

        answer = browser.sign_in(EMAIL)

        assert (answer.status_code, answer.headers["Location"]) == (303, "/login/code")
        assert browser.cookie("sign_in") is None
        assert browser.cookie("device") is None
        assert len(rows(app, Session)) == before
        step = browser.cookie("sign_in_step", path="/login")
        assert (step.http_only, step.same_site, step.max_age) == (True, "Lax", 600)

    def test_a_code_signs_in(self, app, owner):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))

        answer = enter(browser, owner.authenticator.code())

        assert "You are signed in." in browser.follow(answer).text
        assert browser.cookie("sign_in")
        assert browser.cookie("device")
        assert browser.cookie("sign_in_step", path="/login") is None

    def test_a_recovery_code_signs_in(self, app, owner):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))

        enter(browser, owner.authenticator.recovery_codes[0])

        assert "You have 9 recovery codes left" in browser.get("/account/security").text

    def test_it_leads_where_the_sign_in_was_to_lead(self, app, owner):
        browser = Browser(app)
        browser.get("/login?next=/account/orders")
        answer = browser.send("/login", email=EMAIL, password=PASSWORD)
        assert answer.headers["Location"] == "/login/code?next=/account/orders"
        browser.follow(answer)

        assert enter(browser, owner.authenticator.code()).headers["Location"] == "/account/orders"

    def test_it_leads_to_no_other_site(self, app, owner):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))
        browser.get("/login/code?next=//evil.example/")

        answer = enter(browser, owner.authenticator.code())

        assert answer.headers["Location"] == "/account"

    def test_a_wrong_code_asks_again(self, app, owner):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))

        answer = enter(browser, WRONG)

        assert answer.status_code == 401
        assert "This code is wrong, or was used before." in answer.text
        assert WRONG not in answer.text
        assert enter(browser, owner.authenticator.code()).status_code == 303

    def test_too_many_wrong_codes_say_when_to_try_again(self, app, owner):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))
        for _ in range(5):
            enter(browser, WRONG)

        answer = enter(browser, owner.authenticator.code())

        assert answer.status_code == 429
        assert "Too many failed attempts. Try again in 30 seconds." in answer.text

    def test_after_ten_minutes_it_begins_again(self, app, owner, clock):
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))
        clock.shift(601)

        answer = enter(browser, owner.authenticator.code())

        assert answer.headers["Location"] == "/login"
        assert "took too long" in browser.follow(answer).text

    def test_without_a_first_page_it_begins_at_the_first(self, app):
        browser = Browser(app)

        assert browser.get("/login/code").headers["Location"] == "/login"

    def test_somebody_who_is_signed_in_is_led_on(self, app, ann):
        assert ann.get("/login/code").headers["Location"] == "/account"

    def test_the_guests_cart_comes_along_with_the_code_only(self, app, owner):
        browser, product = Browser(app), inside(app, factories.product)
        browser.get(f"/products/{product.slug}")
        browser.send("/cart/items")
        browser.follow(browser.sign_in(EMAIL))
        assert [cart.user_id for cart in rows(app, Cart)] == [None]

        enter(browser, owner.authenticator.code())

        assert owner.caller.get("/api/cart").json["item_count"] == 1
        assert browser.cookie("cart") is None

    @pytest.mark.races
    @pytest.mark.thorough
    def test_of_eight_browsers_with_one_code_one_gets_in(self, app, owner):
        browsers, code = [Browser(app) for _ in range(8)], owner.authenticator.code()
        for browser in browsers:
            browser.follow(browser.sign_in(EMAIL))

        at_once([lambda b=b: enter(b, code) for b in browsers])

        assert len([browser for browser in browsers if browser.cookie("sign_in")]) == 1


class TestRemoval:
    """Removing the second factor, and new recovery codes."""

    @pytest.fixture
    def browser(self, app, owner):
        """A browser that is signed in with the second factor."""
        browser = Browser(app)
        browser.follow(browser.sign_in(EMAIL))
        enter(browser, owner.authenticator.code())
        return browser

    def test_the_password_removes_it(self, app, owner, browser):
        browser.get(f"{PAGE}/remove")

        answer = browser.send(f"{PAGE}/remove", password=PASSWORD)

        assert "takes your password alone" in browser.follow(answer).text
        assert rows(app, SecondFactor) == []
        assert owner.caller.get(MFA).json["enabled"] is False

    def test_new_codes_are_shown_once(self, owner, browser):
        browser.get(f"{PAGE}/recovery-codes")

        answer = browser.send(f"{PAGE}/recovery-codes", password=PASSWORD)

        codes = codes_on(answer.text)
        assert len(codes) == 10
        assert not set(codes) & set(owner.authenticator.recovery_codes)

    @pytest.mark.parametrize("path", ["remove", "recovery-codes"])
    def test_a_wrong_password_changes_nothing(self, app, browser, path):
        browser.get(f"{PAGE}/{path}")

        answer = browser.send(f"{PAGE}/{path}", password="wrong")

        assert answer.status_code == 422
        assert only_row(app, SecondFactor).confirmed_at

"""Forms that are open while somebody signs in or out in another tab of the same browser."""

import io
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from flask import Flask

from app.models import Address, CartLine, Product, Session, User
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser, form_of, hidden_fields
from tests.integration.people import EMAIL, inside, make_user, only_row, rows
from tests.integration.shopping import ADDRESS
from tests.integration.staff import CLERK, fields_of, signed_in_staff

OWN = {"Sec-Fetch-Site": "same-origin"}
"""What a browser states of a form of the shop's own pages."""
BOB = "bob@example.com"
SENT_AGAIN = "Please send that again"


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def people(app: Flask) -> None:
    make_user(app)
    make_user(app, email=BOB)


@pytest.fixture
def mug(app: Flask) -> Any:
    return inside(app, factories.product, name="Mug", slug="mug", price=1400, stock=5)


class Tab:
    """A tab of a browser, with a page that stays as it is while other tabs go on."""

    def __init__(self, browser: Browser, path: str) -> None:
        self.browser, self.page = browser, browser.get(path).text

    def send(self, action: str, headers: dict[str, str] = OWN, **fields: Any) -> Any:
        """Send the form that this tab shows."""
        form = form_of(self.page, action)
        assert form is not None, f"no form for {action}"
        data = {**hidden_fields(form), **fields}
        response = self.browser.client.post(action, data=data, headers=headers)
        self.page = response.text
        return response


def sign_out(browser: Browser) -> None:
    browser.get("/account")
    assert browser.send("/logout").status_code == 303


def test_what_is_added_after_signing_in_elsewhere_is_in_the_accounts_cart(
    app, browser, people, mug
):
    tab = Tab(browser, "/products/mug")
    browser.sign_in(EMAIL)

    response = tab.send("/cart/items", quantity="2")

    assert response.status_code == 303
    assert only_row(app, CartLine).quantity == 2
    assert "<b>2</b>" in browser.get("/").text
    sign_out(browser)
    assert "<b>2</b>" not in browser.get("/").text


def test_what_is_added_after_signing_out_elsewhere_is_in_the_guests_cart(app, browser, people, mug):
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/products/mug")
    sign_out(browser)

    response = tab.send("/cart/items", quantity="2")

    assert response.status_code == 303
    assert "<b>2</b>" in browser.get("/").text
    assert only_row(app, CartLine).quantity == 2


def test_what_another_account_would_change_is_asked_first(app, browser, people):
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/account/addresses/new")
    sign_out(browser)
    browser.sign_in(BOB)

    response = tab.send("/account/addresses/new", **ADDRESS)

    assert response.status_code == 409
    assert SENT_AGAIN in response.text
    assert f"Send it again as {BOB}" in response.text
    assert rows(app, Address) == []
    assert tab.send("/account/addresses/new").status_code == 303
    bob = next(user for user in rows(app, User) if user.email == BOB)
    address = only_row(app, Address)
    assert (address.user_id, address.line1) == (bob.id, ADDRESS["line1"])


def test_a_form_waits_until_its_account_is_signed_in_again(app, browser, people):
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/account/addresses/new")
    sign_out(browser)

    response = tab.send("/account/addresses/new", **ADDRESS)
    again = tab.send("/account/addresses/new")
    browser.sign_in(EMAIL)

    assert [response.status_code, again.status_code] == [409, 409]
    assert "You have been signed out" in response.text
    assert tab.send("/account/addresses/new").status_code == 303
    assert only_row(app, Address).line1 == ADDRESS["line1"]


def test_signing_out_and_in_again_leaves_the_forms_of_an_account_valid(app, browser, people):
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/account/addresses/new")
    sign_out(browser)
    browser.sign_in(EMAIL)

    assert tab.send("/account/addresses/new", **ADDRESS).status_code == 303
    assert len(rows(app, Session)) == 2


def test_what_staff_have_written_is_kept_when_they_are_signed_out(app):
    clerk = signed_in_staff(app)
    tab = Tab(clerk, "/admin/products/new")
    fields = {
        **fields_of(tab.page, "/admin/products/new"),
        "name": "Long story",
        "variants.0.price": "9",
    }
    sign_out(clerk)

    response = tab.send("/admin/products/new", **fields)
    clerk.sign_in(CLERK)

    assert response.status_code == 409
    assert 'value="Long story"' in response.text
    assert rows(app, Product) == []
    assert tab.send("/admin/products/new").status_code == 303
    assert only_row(app, Product).name == "Long story"


def test_what_staff_have_written_is_kept_while_a_customer_is_signed_in(app, people):
    clerk = signed_in_staff(app)
    tab = Tab(clerk, "/admin/categories/new")
    sign_out(clerk)
    clerk.sign_in(EMAIL)

    response = tab.send("/admin/categories/new", name="Kitchen")
    sign_out(clerk)
    clerk.sign_in(CLERK)

    assert response.status_code == 409
    assert "this account may not do that" in response.text
    assert tab.send("/admin/categories/new").status_code == 303


def test_nobody_is_signed_out_by_the_form_of_another_account(app, browser, people):
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/account")
    sign_out(browser)
    signed_out = tab.send("/logout")
    tab = Tab(browser, "/login")
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/account")
    sign_out(browser)
    browser.sign_in(BOB)

    response = tab.send("/logout")

    assert signed_out.headers["Location"] == "/login"
    assert response.status_code == 409
    assert BOB in browser.get("/account").text


def test_nobody_signs_in_over_a_session(app, browser, people):
    tab, twice = Tab(browser, "/login"), Tab(browser, "/login?next=/cart")
    browser.sign_in(BOB)

    response = tab.send("/login", email=EMAIL, password=PASSWORD)
    again = twice.send("/login", email=BOB, password=PASSWORD)

    assert response.headers["Location"] == "/account"
    assert again.headers["Location"] == "/cart"
    assert len(rows(app, Session)) == 1
    assert BOB in browser.get("/account").text


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_is_refused_whatever_the_token(app, browser, people, mug, site):
    headers = {"Sec-Fetch-Site": site}

    login = Tab(browser, "/login").send("/login", headers, email=EMAIL, password=PASSWORD)
    cart = Tab(browser, "/products/mug").send("/cart/items", headers, quantity="1")

    assert [login.status_code, cart.status_code] == [403, 403]
    assert SENT_AGAIN not in login.text + cart.text
    assert rows(app, Session) == rows(app, CartLine) == []


@pytest.mark.parametrize("headers", [{}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://x.test"}])
def test_the_token_of_another_browser_is_refused(app, browser, people, mug, headers):
    """Without a statement of the browser nobody is asked to send on what a stranger has filled in."""
    browser.get("/login")
    stranger = Tab(Browser(app), "/products/mug")
    stranger.browser = browser

    response = stranger.send("/cart/items", headers, quantity="1")

    assert response.status_code == 403
    assert SENT_AGAIN not in response.text
    assert rows(app, CartLine) == []


def test_a_token_is_for_the_account_that_it_was_made_for(app, browser, people):
    """A token holds the account in clear under its mask: to write another one into it makes it void."""
    guests = hidden_fields(form_of(browser.get("/login").text, "/login") or "")["csrf_token"]
    browser.sign_in(EMAIL)
    ann = next(user for user in rows(app, User) if user.email == EMAIL)
    raw = bytearray(urlsafe_b64decode(guests))
    size = len(raw) // 2
    for place, byte in enumerate(ann.id.to_bytes(8, "big")):
        raw[size + place] ^= byte
    forged = urlsafe_b64encode(bytes(raw)).decode()

    response = browser.client.post(
        "/account/profile", data={"csrf_token": forged, "first_name": "X"}
    )

    assert response.status_code == 403
    assert "X" not in [user.first_name for user in rows(app, User)]


@pytest.mark.parametrize("headers", [OWN, {"Origin": "http://localhost"}])
def test_a_form_whose_cookie_was_lost_is_sent_again(app, browser, mug, headers):
    tab = Tab(browser, "/products/mug")
    browser.client.delete_cookie("visit")

    response = tab.send("/cart/items", headers, quantity="3")

    assert response.status_code == 409
    assert rows(app, CartLine) == []
    assert "Cookies must be allowed" in response.text
    assert tab.send("/cart/items").status_code == 303
    assert only_row(app, CartLine).quantity == 3


def test_passwords_and_files_are_not_repeated(app, people):
    clerk = signed_in_staff(app)
    password, upload = Tab(clerk, "/account/password"), Tab(clerk, "/admin/import")
    sign_out(clerk)
    clerk.sign_in(EMAIL)
    referrer = {**OWN, "Referer": "http://localhost/account/password?x=1"}

    secret = password.send(
        "/account/password", referrer, current_password=PASSWORD, new_password="a new long phrase"
    )
    file = upload.send("/admin/import", file=(io.BytesIO(b"sku,name,price\n"), "list.csv"))

    assert [secret.status_code, file.status_code] == [409, 409]
    assert PASSWORD not in secret.text
    assert "a new long phrase" not in secret.text
    assert 'href="/account/password"' in secret.text
    assert "Passwords and files are not kept." in file.text


@pytest.mark.parametrize("referrer", ["http://[", "//evil.example/x", "https://evil.example//x"])
def test_the_way_back_stays_in_the_shop(app, browser, people, referrer):
    tab = Tab(browser, "/products/nothing")
    browser.sign_in(EMAIL)
    tab = Tab(browser, "/account/profile")
    sign_out(browser)

    response = tab.send("/account/profile", {**OWN, "Referer": referrer}, first_name="A")

    assert response.status_code == 409
    assert "evil.example" not in response.text


def test_pages_that_are_opened_side_by_side_send_their_forms(app, browser, people, mug):
    browser.get("/")
    visit = browser.cookie("visit").value
    tabs = [Tab(browser, "/products/mug"), Tab(browser, "/login"), Tab(browser, "/products/mug")]

    assert visit == browser.cookie("visit").value
    assert [tab.send("/cart/items").status_code for tab in (tabs[0], tabs[2])] == [303, 303]

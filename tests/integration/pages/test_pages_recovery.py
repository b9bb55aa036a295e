"""The pages that links in mails lead to, in a browser without scripts."""

import re

import pytest

from app.models import AccountToken, Mail
from tests.factories import PASSWORD
from tests.integration.browsing import Browser, links
from tests.integration.conftest import Caller
from tests.integration.links import mails, newest_link
from tests.integration.people import EMAIL, login, make_user, only_row, rows

NEW_PASSWORD = "a rather different phrase"


@pytest.fixture
def ann(app):
    """EMAIL's browser, in which nobody is signed in."""
    make_user(app)
    return Browser(app)


def ask_for_link(browser, email=EMAIL):
    assert "/password/forgot" in links(browser.get("/login").text)
    browser.get("/password/forgot")
    return browser.follow(browser.send("/password/forgot", email=email))


class TestPassword:
    """`/password/forgot` and `/password/reset`."""

    def test_a_link_by_mail_leads_to_a_new_password(self, app, ann):
        assert "a mail with a link is on its way" in ask_for_link(ann).text

        page = ann.get(newest_link(app, "password_reset"))
        assert page.status_code == 200
        answer = ann.send("/password/reset", new_password=NEW_PASSWORD)
        assert answer.headers["Location"] == "/login"
        assert "Your password is changed" in ann.follow(answer).text
        assert login(Caller(app), password=NEW_PASSWORD).status_code == 200

    def test_the_page_says_the_same_to_whoever_has_no_account(self, app, ann):
        known = ask_for_link(ann).text
        unknown = ask_for_link(Browser(app), "nobody@example.com").text

        def without_tokens(page):
            return re.sub('name="csrf_token" value="[^"]+"', "", page)

        assert without_tokens(known) == without_tokens(unknown)
        assert len(mails(app, "password_reset")) == 1

    def test_the_link_stays_on_its_page(self, app, ann):
        ask_for_link(ann)
        link = newest_link(app, "password_reset")
        page = ann.get(link)

        assert page.headers["Referrer-Policy"] == "no-referrer"
        assert "no-store" in page.headers["Cache-Control"]
        token = link.partition("token=")[2]
        assert page.text.count(token) == 1
        resources = re.findall(r'(?:src|href|action)="([^"]*)"', page.text)
        assert not any("//" in address or token in address for address in resources)

    def test_looking_at_it_uses_nothing_up(self, app, ann):
        ask_for_link(ann)
        link = newest_link(app, "password_reset")
        for _ in range(3):
            ann.get(link)
        ann.client.head(link)

        assert only_row(app, AccountToken).used_at is None

    def test_a_link_that_was_used_leads_to_a_new_one(self, app, ann):
        ask_for_link(ann)
        link = newest_link(app, "password_reset")
        ann.get(link)
        ann.send("/password/reset", new_password=NEW_PASSWORD)

        page = ann.get(link)
        assert page.status_code == 422
        assert "This link was used before, or is too old" in page.text
        assert "/password/forgot" in links(page.text)
        assert 'name="new_password"' not in page.text

    def test_a_weak_password_shows_the_form_again_with_its_token(self, app, ann):
        ask_for_link(ann)
        ann.get(newest_link(app, "password_reset"))
        ann.page = ann.send("/password/reset", new_password="short")
        assert (ann.page.status_code, ann.page.headers["Referrer-Policy"]) == (422, "no-referrer")

        assert ann.send("/password/reset", new_password=NEW_PASSWORD).status_code == 303

    def test_whoever_is_signed_in_is_signed_out(self, app, ann):
        ann.sign_in(EMAIL)
        ann.get("/password/forgot")
        ann.send("/password/forgot", email=EMAIL)
        ann.get(newest_link(app, "password_reset"))
        ann.follow(ann.send("/password/reset", new_password=NEW_PASSWORD))

        assert ann.get("/account").headers["Location"].startswith("/login")

    @pytest.mark.parametrize("text", ["", "x" * 255])
    def test_what_is_no_address_shows_the_form_again(self, app, text):
        browser = Browser(app)
        browser.get("/password/forgot")

        assert browser.send("/password/forgot", email=text).status_code == 422
        assert rows(app, Mail) == []


class TestAddress:
    """`/email/verify` and `/account/email`."""

    def test_a_link_asks_before_it_confirms(self, app, ann):
        ann.sign_in(EMAIL)
        assert "Not confirmed yet" in ann.get("/account/email").text
        ann.follow(ann.send("/account/email/send-again"))
        page = ann.get(newest_link(app, "email_confirmation"))
        assert (page.status_code, page.headers["Referrer-Policy"]) == (200, "no-referrer")
        assert only_row(app, AccountToken).used_at is None

        ann.follow(ann.send("/email/verify"))
        assert "Confirmed" in ann.get("/account/email").text

    def test_a_new_address_is_asked_for_with_the_password(self, app, ann):
        ann.sign_in(EMAIL)
        ann.get("/account/email")
        refused = ann.send("/account/email", new_email="ann@example.org", password="wrong")
        assert refused.status_code == 422
        ann.follow(ann.send("/account/email", new_email="ann@example.org", password=PASSWORD))
        Browser(app).get(newest_link(app, "email_confirmation"))
        ann.get(newest_link(app, "email_confirmation"))
        ann.send("/email/verify")

        assert "ann@example.org" in ann.get("/account/email").text

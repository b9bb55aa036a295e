"""All requests that hash a password, one for each route."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.test import TestResponse

from tests.factories import PASSWORD
from tests.integration.browsing import Browser, hidden_fields
from tests.integration.conftest import signed_in
from tests.integration.people import EMAIL, make_user

LEAVER = "leaver@example.com"
NEW_PASSWORD = "another long phrase"


class Request(NamedTuple):
    """A request, its route's endpoint, and how to send it to a shop with the same database."""

    endpoint: str
    send: Callable[[Flask], TestResponse]


def hashing_requests(app: Flask) -> list[Request]:
    """One request for each route that hashes a password, each right by itself. The accounts that
    they are about are made now: on empty tables."""
    for email in (EMAIL, LEAVER):
        make_user(app, email=email)
    caller, leaver = signed_in(app), signed_in(app)
    change = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    new, sign_in = {"password": PASSWORD}, {"email": EMAIL, "password": PASSWORD}
    return [
        Request("auth.register", _call("POST", "/api/auth/register", {**new, "email": "a@example.com"})),
        Request("auth.login", _call("POST", "/api/auth/login", sign_in)),
        Request("users.change_password", _call("POST", "/api/users/me/password", change, caller.headers)),
        Request("users.close_account", _call("DELETE", "/api/users/me", new, leaver.headers)),
        Request("sign_in.login", _browse(app, "/login", sign_in)),
        Request("sign_in.register", _browse(app, "/register", {**new, "email": "b@example.com"})),
        Request("account.change_password", _browse(app, "/account/password", change, EMAIL)),
        Request("account.close", _browse(app, "/account/close", new, LEAVER)),
    ]  # fmt: skip


def _call(method: str, path: str, body: dict[str, str], headers: Any = None) -> Any:
    return lambda shop: shop.test_client().open(path, method=method, json=body, headers=headers)


def _browse(app: Flask, path: str, fields: dict[str, str], email: str | None = None) -> Any:
    """Send a form, as somebody who is signed in where `email` is given."""
    browser = Browser(app)
    if email:
        browser.sign_in(email)
    form = {**hidden_fields(browser.get(path).text), **fields}

    def send(shop: Flask) -> TestResponse:
        browser.client.application = shop
        return browser.client.post(path, data=form)

    return send

"""Steps of tests about second factors: an authenticator, and accounts that have one."""

import time
from typing import NamedTuple

import pyotp
from flask import Flask
from werkzeug.test import TestResponse

from tests.factories import PASSWORD
from tests.integration.conftest import Caller
from tests.integration.people import EMAIL, bearer, login, make_user

MFA = "/api/users/me/mfa"
WRONG = "000000"
"""A code that is wrong: tests whose clock stands still check that it is."""


class Authenticator(NamedTuple):
    """What the owner of an account has on the phone and on paper."""

    secret: str
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """The code of this moment, or of so many steps later."""
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30 * steps)


class Owner(NamedTuple):
    """Somebody with a second factor, who is signed in."""

    caller: Caller
    authenticator: Authenticator


def set_up(caller: Caller, password: str = PASSWORD) -> Authenticator:
    """Give the caller's account a second factor; the code of the step before confirms it."""
    begun = caller.post(MFA, json={"password": password})
    assert begun.status_code == 200, begun.json
    secret = begun.json["secret"]
    code = Authenticator(secret, []).code(-1)
    confirmed = caller.post(f"{MFA}/confirm", json={"code": code})
    assert confirmed.status_code == 200, confirmed.json
    return Authenticator(secret, confirmed.json["recovery_codes"])


def make_owner(app: Flask, email: str = EMAIL, **facts: object) -> Owner:
    """An account with a second factor, and a session of it."""
    make_user(app, email=email, **facts)
    caller = Caller(app, **bearer(login(Caller(app), email).json["access_token"]))
    return Owner(caller, set_up(caller))


def first_step(
    app: Flask, email: str = EMAIL, caller: Caller | None = None, **options: object
) -> str:
    """The token of a sign-in whose password was right."""
    answer = login(caller or Caller(app), email, **options)
    assert (answer.status_code, answer.json["code"]) == (401, "mfa_required"), answer.json
    return str(answer.json["mfa_token"])


def second_step(caller: Caller, token: str, code: str, **options: object) -> TestResponse:
    """Send a code with the token of the first step."""
    return caller.post("/api/auth/mfa", json={"mfa_token": token, "code": code}, **options)

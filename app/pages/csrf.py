"""CSRF protection: only the shop's own pages send forms, and a form acts for the account that it shows.

Every form has a token, also for guests: the account for which its page was rendered (0 for a guest), and an
HMAC over it and over a random id of the browser, which is in the visitor's signed cookie (OWASP, Cross-Site
Request Forgery Prevention Cheat Sheet, "Signed Double-Submit Cookie"). Another site knows neither the id nor
the key. The id stays the same when somebody signs in or out, so forms that are open in other tabs stay
valid; the account is what may change under them:

- A form of this browser for another account than the present one is not carried out, but shown again to be
  confirmed (`StaleForm`), unless its view is for `any_account`.
- A token of another browser, a made-up one or none is refused. If the browser itself states that the form
  comes from a page of this shop, its cookie has been lost, and the form is shown again as well.
- A browser that names another site as the form's origin is refused whatever the token, so a neighbouring
  site that plants a cookie of its own gains nothing.

Each page masks the token with a new random mask, so that the size of a compressed page reveals nothing about
it (BREACH).
"""

import binascii
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from flask import current_app, g, request, session

from app.errors import Forbidden
from app.web.callers.identity import current_actor

FIELD = "csrf_token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_ID = "visitor"
_ACCOUNT_SIZE, _HMAC_SIZE = 8, 32
_SIZE = _ACCOUNT_SIZE + _HMAC_SIZE
V = TypeVar("V", bound=Callable[..., object])


class CsrfFailed(Forbidden):
    """A form was sent without a valid token."""

    def __init__(self) -> None:
        super().__init__("This form was opened too long ago, or did not come from this shop.")
        self.code = "csrf_failed"


class StaleForm(CsrfFailed):
    """A form of this shop was sent for another account than the present one, or its cookie was lost.

    `account` is the id of the account that the form shows, 0 for a guest, None if that is unknown.
    """

    def __init__(self, account: int | None) -> None:
        super().__init__()
        self.code = "form_stale"
        self.account = account


def any_account(view: V) -> V:
    """Carry out a form for whoever is signed in by now. For what is the same for every account, such as
    putting an article into the cart, and for views that look at the account by themselves."""
    vars(view)["is_for_any_account"] = True
    return view


def csrf_token(account: int | None = None) -> str:
    """The token for the forms of this page, which act for the present account, or for another one that
    has to sign in first."""
    account = _present_account() if account is None else account
    mask = secrets.token_bytes(_SIZE)
    token = _token(account, browser_id(), current_app.config["SECRET_KEY"])
    return urlsafe_b64encode(mask + _xor(mask, token)).decode()


def browser_id() -> str:
    """The random id of this browser. The first page sets it, so that pages which are opened side by side
    after it have the same."""
    stored = session.get(_ID)
    if not isinstance(stored, str):
        stored = session[_ID] = secrets.token_urlsafe(16)
    return stored


def reset_browser_id() -> None:
    """Invalidate the open forms of this browser: whoever knew their tokens knows none any more."""
    session.pop(_ID, None)


def check_csrf() -> None:
    """Refuse a form that did not come from this shop, or not for this account.

    Raises:
        CsrfFailed: without a valid token, or from another site.
        StaleForm: see there; only where the browser states that the form comes from this shop.
    """
    if request.method in SAFE_METHODS:
        return
    is_own = _is_own_form()
    account = _account_of_form()
    g.form_account = account
    if is_own is False or (account is None and not is_own):
        raise CsrfFailed()
    if account is None:
        raise StaleForm(None)
    if not _is_for_any_account():
        check_account()


def check_account() -> None:
    """Refuse a form that was opened for another account; raises as `check_csrf` does."""
    if g.form_account != _present_account():
        raise StaleForm(g.form_account) if _is_own_form() else CsrfFailed()


def _present_account() -> int:
    return current_actor().user_id or 0


def _is_for_any_account() -> bool:
    view = current_app.view_functions.get(request.endpoint or "")
    return view is not None and "is_for_any_account" in vars(view)


def _is_own_form() -> bool | None:
    """Whether the browser states that a page of this shop sent the form (Fetch Metadata, and Origin of
    browsers without it); None if it does not say, or a proxy may have changed what it says."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return {"same-origin": True, "none": None}.get(site, False)
    try:
        return True if urlsplit(request.headers.get("Origin", "")).netloc == request.host else None
    except ValueError:
        return None


def _account_of_form() -> int | None:
    """The account in the form's token, if this browser got the token from the shop."""
    stored, token = session.get(_ID), _unmask(request.form.get(FIELD, ""))
    if not isinstance(stored, str):
        return None
    account = int.from_bytes(token[:_ACCOUNT_SIZE], "big")
    keys = current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]
    is_ours = any(hmac.compare_digest(token, _token(account, stored, key)) for key in keys)
    return account if is_ours else None


def _token(account: int, browser: str, key: str) -> bytes:
    message = f"csrf:{account}:{browser}".encode()
    number = account.to_bytes(_ACCOUNT_SIZE, "big")
    return number + hmac.digest(key.encode(), message, hashlib.sha256)


def _xor(mask: bytes, text: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(mask, text, strict=True))


def _unmask(text: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text.encode())
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return b""
    return _xor(raw[:_SIZE], raw[_SIZE:]) if len(raw) == 2 * _SIZE else b""

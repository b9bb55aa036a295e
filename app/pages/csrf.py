"""CSRF protection: only the shop's own pages can send forms.

Every form has a token, also for guests: an HMAC of a random value in the visitor's signed cookie and of
the session (OWASP, Cross-Site Request Forgery Prevention Cheat Sheet, "Signed Double-Submit Cookie").
Another site knows neither the value nor the key. If a neighbouring site sets a cookie of its own, that
does not match the session. Each page masks the token with a new random mask, so that the size of a
compressed page reveals nothing about it (BREACH).
"""

import binascii
import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

from flask import current_app, request, session

from app.errors import Forbidden
from app.web.callers.identity import current_actor

FIELD = "csrf_token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_SEED = "visitor"
_SIZE = 32


class CsrfFailed(Forbidden):
    """A form was sent without a valid token."""

    def __init__(self) -> None:
        super().__init__("This form was opened too long ago, or did not come from this shop.")
        self.code = "csrf_failed"


def csrf_token() -> str:
    """The token for the forms of this page."""
    mask = secrets.token_bytes(_SIZE)
    token = _hmac(_seed(), current_app.config["SECRET_KEY"])
    return urlsafe_b64encode(mask + _xor(mask, token)).decode()


def check_csrf() -> None:
    """Refuse a form without a valid token; raises CsrfFailed."""
    if request.method in SAFE_METHODS:
        return
    seed = session.get(_SEED)
    token = _unmask(request.form.get(FIELD, ""))
    keys = current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]
    if not isinstance(seed, str) or not any(
        hmac.compare_digest(token, _hmac(seed, key)) for key in keys
    ):
        raise CsrfFailed()


def reset_csrf_token() -> None:
    """Invalidate all open forms, when somebody signs in or out."""
    session.pop(_SEED, None)


def _seed() -> str:
    seed = session.get(_SEED)
    if not isinstance(seed, str):
        seed = session[_SEED] = secrets.token_urlsafe(16)
    return seed


def _hmac(seed: str, key: str) -> bytes:
    message = f"csrf:{current_actor().session_id or 0}:{seed}".encode()
    return hmac.new(key.encode(), message, hashlib.sha256).digest()


def _xor(mask: bytes, text: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(mask, text, strict=True))


def _unmask(text: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text.encode())
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return b""
    return _xor(raw[:_SIZE], raw[_SIZE:]) if len(raw) == 2 * _SIZE else b""

"""Forms that only our own pages can send.

Every form carries a token, whoever the visitor is: an HMAC over a random word in the visitor's own
signed cookie and over the sign-in that it belongs to (OWASP, Cross-Site Request Forgery Prevention
Cheat Sheet, "Signed Double-Submit Cookie"). Another site knows neither the word nor the key; a word
of its own that a neighbouring site plants does not fit the sign-in. Each page masks the token anew,
so that compression tells nothing about it (BREACH).
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
_WORD = "visitor"
_SIZE = 32


class CsrfFailed(Forbidden):
    """A form came without the token that our page put into it."""

    def __init__(self) -> None:
        super().__init__("This form was opened too long ago, or did not come from this shop.")
        self.code = "csrf_failed"


def csrf_token() -> str:
    """The token for the forms of this page."""
    mask = secrets.token_bytes(_SIZE)
    proof = _proof(_word(), current_app.config["SECRET_KEY"])
    return urlsafe_b64encode(mask + _mixed(mask, proof)).decode()


def check_csrf() -> None:
    """Refuse a form without its token.

    Raises:
        CsrfFailed
    """
    if request.method in SAFE_METHODS:
        return
    word = session.get(_WORD)
    sent = _unmasked(request.form.get(FIELD, ""))
    keys = current_app.config["SECRET_KEY"], *current_app.config["SECRET_KEY_FALLBACKS"]
    if not isinstance(word, str) or not any(
        hmac.compare_digest(sent, _proof(word, key)) for key in keys
    ):
        raise CsrfFailed()


def forget_visitor() -> None:
    """Begin anew at a change of sign-in: forms that were opened before it are void."""
    session.pop(_WORD, None)


def _word() -> str:
    word = session.get(_WORD)
    if not isinstance(word, str):
        word = session[_WORD] = secrets.token_urlsafe(16)
    return word


def _proof(word: str, key: str) -> bytes:
    message = f"csrf:{current_actor().session_id or 0}:{word}".encode()
    return hmac.new(key.encode(), message, hashlib.sha256).digest()


def _mixed(mask: bytes, text: bytes) -> bytes:
    return bytes(left ^ right for left, right in zip(mask, text, strict=True))


def _unmasked(sent: str) -> bytes:
    try:
        raw = urlsafe_b64decode(sent.encode())
    except (binascii.Error, UnicodeEncodeError, ValueError):
        return b""
    return _mixed(raw[:_SIZE], raw[_SIZE:]) if len(raw) == 2 * _SIZE else b""

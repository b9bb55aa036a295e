"""Device tokens: a browser or app that signed in to an account before shows that it did.

OWASP describes the idea as "Device Cookies" against guessing passwords. A token holds nothing but
a random word and a signature; whose it is follows from the account that it is checked against. A
browser that several people use holds one token for each of the last accounts.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence

MOST_TOKENS = 5
"""Accounts that one device is marked for at a time."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
MAX_LENGTH = MOST_TOKENS * 67
Signer = Callable[[str], Sequence[bytes]]
"""All valid signatures of a text, the present key's first."""


def new_token(sign: Signer, user_id: int, password_version: int) -> str:
    """A token for a device on which the account's password was given."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_signatures(sign, user_id, password_version, nonce)[0]}"


def add_token(value: str, token: str, replaced: str | None = None) -> str:
    """What a device keeps once it has another token, newest first; the oldest ones go."""
    older = [other for other in tokens_of(value) if other not in (token, replaced)]
    return "~".join([token, *older][:MOST_TOKENS])


def tokens_of(value: str) -> list[str]:
    """The tokens that a device sent; what is none is left out."""
    if len(value) > MAX_LENGTH:
        return []
    return [token for token in value.split("~") if _TOKEN.fullmatch(token)]


def find_token(value: str, sign: Signer, user_id: int, password_version: int) -> str | None:
    """The token among those of a device that is this account's; a new password voids them."""
    for token in tokens_of(value):
        nonce, _dot, signature = token.partition(".")
        valid = _signatures(sign, user_id, password_version, nonce)
        if any(hmac.compare_digest(signature, one) for one in valid):
            return token
    return None


def _signatures(sign: Signer, user_id: int, password_version: int, nonce: str) -> list[str]:
    signatures = sign(f"{user_id}:{password_version}:{nonce}")
    return [urlsafe_b64encode(one).decode().rstrip("=") for one in signatures]

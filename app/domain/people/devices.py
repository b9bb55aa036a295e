"""Device tokens: they prove that a browser or app has signed in to an account before.

OWASP describes them as "Device Cookies" against guessing passwords. A token consists of a random
word and a signature, and names no account: it is checked against the account of a sign-in. A browser
that several people use stores one token for each of the last accounts.
"""

import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Sequence

MAX_TOKENS = 5
"""How many accounts one device stores tokens of."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}")
MAX_LENGTH = MAX_TOKENS * 67
Signer = Callable[[str], Sequence[bytes]]
"""All valid signatures of a text, the present key's first."""


def new_token(sign: Signer, user_id: int, password_version: int) -> str:
    """A token for a device on which somebody entered the account's password."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_signatures(sign, user_id, password_version, nonce)[0]}"


def add_token(value: str, token: str, replaced: str | None = None) -> str:
    """The tokens of a device with a new one, newest first, without the oldest."""
    older = [other for other in tokens_of(value) if other not in (token, replaced)]
    return "~".join([token, *older][:MAX_TOKENS])


def tokens_of(value: str) -> list[str]:
    """The well-formed tokens of a value that a device sent."""
    if len(value) > MAX_LENGTH:
        return []
    return [token for token in value.split("~") if _TOKEN.fullmatch(token)]


def find_token(value: str, sign: Signer, user_id: int, password_version: int) -> str | None:
    """The device's token of this account and password version, None if it has none."""
    for token in tokens_of(value):
        nonce, _dot, signature = token.partition(".")
        valid = _signatures(sign, user_id, password_version, nonce)
        if any(hmac.compare_digest(signature, one) for one in valid):
            return token
    return None


def _signatures(sign: Signer, user_id: int, password_version: int, nonce: str) -> list[str]:
    signatures = sign(f"{user_id}:{password_version}:{nonce}")
    return [urlsafe_b64encode(one).decode().rstrip("=") for one in signatures]

"""Hashes of values that can be guessed, such as network addresses and emails.

Anybody can hash all IPv4 addresses and compare, so a plain hash does not protect one in a copy of the
database. These are HMACs (RFC 2104) under keys that are derived from SECRET_KEY, one for each purpose
(NIST SP 800-108). Without the key nobody can compute them.
"""

import hashlib
import hmac
from functools import lru_cache

from flask import current_app


def keyed_hash(purpose: str, text: str) -> bytes:
    """The hash of a text under the present SECRET_KEY, 32 bytes."""
    return _hash(current_app.config["SECRET_KEY"], purpose, text)


def keyed_hashes(purpose: str, text: str) -> list[bytes]:
    """The hashes under which a text may be stored: under SECRET_KEY first, then under each of
    SECRET_KEY_FALLBACKS."""
    config = current_app.config
    return [
        _hash(key, purpose, text) for key in (config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"])
    ]


def _hash(secret: str, purpose: str, text: str) -> bytes:
    message = text.encode("utf-8", "surrogatepass")
    return hmac.digest(derived_key(secret, purpose), message, hashlib.sha256)


@lru_cache(maxsize=64)
def derived_key(secret: str, purpose: str) -> bytes:
    """The key of 32 bytes that is derived from a secret for a purpose."""
    return hmac.digest(secret.encode(), f"shopswift:{purpose}".encode(), hashlib.sha256)

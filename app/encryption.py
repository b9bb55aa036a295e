"""Encryption of short secrets that the shop has to read again, such as those of second factors.

A text is encrypted and signed with Fernet (AES-128-CBC, HMAC-SHA256) of the `cryptography` package, under
a key that is derived from SECRET_KEY for each purpose. Texts that were encrypted under a key of
SECRET_KEY_FALLBACKS can be read, so that a key can be replaced: `key_id` tells which rows are to be
encrypted anew before the old key is removed.
"""

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from flask import current_app

from app.keyed_hashes import derived_key, keyed_hash

_PURPOSE = "encryption of "


class Undecryptable(ValueError):
    """The text was encrypted under a key that is not in the settings, or was changed."""


def encrypt(purpose: str, text: str) -> str:
    """The text, encrypted under the present SECRET_KEY; no two results are the same."""
    return _fernet(purpose).encrypt(text.encode()).decode()


def decrypt(purpose: str, encrypted: str) -> str:
    """The text again, whether it was encrypted under SECRET_KEY or one of SECRET_KEY_FALLBACKS.

    Raises:
        Undecryptable: see there.
    """
    try:
        return _fernet(purpose).decrypt(encrypted.encode()).decode()
    except (InvalidToken, UnicodeError):
        raise Undecryptable("No key of the settings decrypts this.") from None


def key_id(purpose: str) -> str:
    """A name of the key under which `encrypt` encrypts: 16 letters that do not reveal it."""
    return keyed_hash(_PURPOSE + purpose, "key id").hex()[:16]


def _fernet(purpose: str) -> MultiFernet:
    config = current_app.config
    keys = (config["SECRET_KEY"], *config["SECRET_KEY_FALLBACKS"])
    return MultiFernet([_with(derived_key(key, _PURPOSE + purpose)) for key in keys])


def _with(key: bytes) -> Fernet:
    return Fernet(urlsafe_b64encode(key))

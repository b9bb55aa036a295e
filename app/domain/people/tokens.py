"""Secret tokens, of which the database stores hashes only, and numbers of orders."""

import base64
import hashlib
import hmac
import re
import secrets

# Crockford's base 32: no I, L, O and U, so that a number can be read out on the telephone.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_ORDER_NUMBER = re.compile(rf"SW(?:-[{_ALPHABET}]{{4}}){{3}}")


def new_token() -> str:
    """A secret of 256 bits, safe in headers and URLs."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """The hash of a token that is stored: SHA-256 in hex. Tokens are random, so they need no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_order_number() -> str:
    """A number that cannot be guessed (60 random bits): `SW-7K2M-0QXD-94TV`."""
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(12))
    return f"SW-{letters[:4]}-{letters[4:8]}-{letters[8:]}"


def read_order_number(text: str) -> str | None:
    """An order number in upper case; None if the text is none."""
    number = text.upper()
    return number if text.isascii() and _ORDER_NUMBER.fullmatch(number) else None


def guest_order_token(cart_token: str, number: str) -> str:
    """The secret that opens a guest's order.

    It is derived from the cart's token (HMAC-SHA256, RFC 2104), so that an answer can be stored
    without it and be replayed with it.
    """
    mac = hmac.new(cart_token.encode(), f"order:{number}".encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")

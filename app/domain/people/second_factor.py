"""The codes of a second factor: those of an authenticator (TOTP, RFC 6238), and recovery codes."""

import hmac
import re
import secrets
from collections.abc import Sequence

import pyotp

STEP_SECONDS = 30
TOLERANCE = 1
"""How many steps the clocks of the shop and of the authenticator may be apart."""
RECOVERY_CODES = 10
"""How many recovery codes an account has."""
MAX_LENGTH = 64
"""The longest text that is looked at as a code."""
# Crockford's base 32 without I, L, O and U. 16 letters are 80 random bits.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOKALIKES = str.maketrans("ILO", "110")
_CODE = re.compile("[0-9]{6}")
_RECOVERY_CODE = re.compile(f"[{_ALPHABET}]{{16}}")
_BLANKS = re.compile(r"[\s-]+")


def new_secret() -> str:
    """A secret of 160 bits in base 32, as authenticators take it."""
    return pyotp.random_base32()


def setup_uri(secret: str, account: str, issuer: str) -> str:
    """The address by which an authenticator takes a secret; a QR code shows it."""
    # Authenticators split the label at its first colon.
    return pyotp.TOTP(secret).provisioning_uri(name=account, issuer_name=issuer.replace(":", " "))


def matching_steps(secret: str, code: str, seconds: float) -> Sequence[int]:
    """The steps around a moment (seconds since 1970) of which this is the code, earliest first."""
    if not _CODE.fullmatch(code):
        return ()
    totp, step = pyotp.TOTP(secret, interval=STEP_SECONDS), int(seconds) // STEP_SECONDS
    steps = range(step - TOLERANCE, step + TOLERANCE + 1)
    return [one for one in steps if hmac.compare_digest(totp.generate_otp(one), code)]


def new_recovery_codes() -> list[str]:
    """Codes for paper, such as `7K2M-0QXD-94TV-J3HB`."""
    return [_new_recovery_code() for _ in range(RECOVERY_CODES)]


def _new_recovery_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(16))
    return "-".join(letters[place : place + 4] for place in range(0, 16, 4))


def clean(code: str) -> str:
    """A code without the blanks and hyphens that people type, in capitals."""
    return _BLANKS.sub("", code[:MAX_LENGTH]).upper()


def read_recovery_code(cleaned: str) -> str | None:
    """The recovery code in a cleaned text, without hyphens; None if it is none."""
    code = cleaned.translate(_LOOKALIKES)
    return code if _RECOVERY_CODE.fullmatch(code) else None

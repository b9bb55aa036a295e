"""Codes of promotions: how they are compared, and how they are made up."""

import re
import secrets

from app.domain.text import NotText, clean, fold_case

MAX_CODE = 50
MAX_CODES = 5
"""Codes in a cart."""
MIN_LENGTH, DEFAULT_LENGTH, MAX_LENGTH = 8, 12, 30
"""Random letters of a generated code."""
LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without those that look alike: I, L, O, 0 and 1. Eight of them have 39 bits."""
_PREFIX = re.compile(r"[A-Za-z0-9-]{0,16}")


def clean_code(text: str) -> str:
    """A code as it is stored and shown: trimmed, one line.

    Raises:
        NotText: nothing visible, or more than MAX_CODE characters.
    """
    return clean(text, 1, MAX_CODE)


def code_key(code: str) -> str:
    """What codes are compared by: without regard to case and to space around them."""
    return fold_case(code.strip())[:MAX_CODE]


def key_in_path(text: str) -> str | None:
    """The key of a code that a path names; None where no code can look like this."""
    try:
        return code_key(clean_code(text))
    except NotText:
        return None


def generate_codes(count: int, prefix: str = "", length: int = DEFAULT_LENGTH) -> set[str]:
    """So many different codes that nobody can guess.

    Raises:
        NotText: a prefix of other characters than letters, digits and hyphens, or of more than 16.
    """
    if not _PREFIX.fullmatch(prefix):
        raise NotText("At most 16 letters, digits and hyphens.")
    codes: set[str] = set()
    while len(codes) < count:
        codes.add(prefix + "".join(secrets.choice(LETTERS) for _ in range(length)))
    return codes

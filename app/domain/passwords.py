"""Which passwords are good enough, and how one is spelled before it is hashed (NIST SP 800-63B)."""

import unicodedata
from functools import cache
from pathlib import Path

MIN_LENGTH = 8
MAX_LENGTH = 128
_LIST = Path(__file__).with_name("common_passwords.txt")


def canonical(password: str) -> str:
    """One spelling for what was typed: keyboards and systems compose accents differently (NFC)."""
    return unicodedata.normalize("NFC", password)


def is_readable(password: str) -> bool:
    """Whether a password can be hashed at all: some text, no NUL, no half of a surrogate pair."""
    return bool(password) and not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in password)


def weakness(password: str) -> str | None:
    """A sentence saying why a password is not good enough, or None.

    Length is counted in characters, and nothing is asked of their mixture: such rules make
    passwords weaker (NIST SP 800-63B, section 3.1.1.2).
    """
    if not is_readable(password):
        return "Some of these characters cannot stand in a password."
    if not MIN_LENGTH <= len(canonical(password)) <= MAX_LENGTH:
        return f"Between {MIN_LENGTH} and {MAX_LENGTH} characters."
    if is_common(password):
        return "This password is among the first that are guessed. Choose another one."
    return None


def is_common(password: str) -> bool:
    """Whether a password is on the list of common ones, in whatever case, width or shape of letters,
    and with blanks around it or not."""
    return unicodedata.normalize("NFKC", password).casefold().strip() in common_passwords()


@cache
def common_passwords() -> frozenset[str]:
    """The list of common passwords, case-folded; read once, when the first one is judged."""
    return frozenset(_LIST.read_text(encoding="utf-8").split())

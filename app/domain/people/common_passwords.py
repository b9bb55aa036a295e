"""The passwords that are guessed first, and the words that they are made of."""

from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("common_passwords.txt")


@cache
def common_passwords() -> frozenset[str]:
    """The list of common passwords, case-folded; read once, when the first one is judged."""
    return frozenset(_LIST.read_text(encoding="utf-8").split())


@cache
def common_words() -> frozenset[str]:
    """The words of four letters or more that common passwords consist of, but for digits and signs
    at their end: `summer` of `summer2024`."""
    endings = "".join(map(chr, range(33, 65)))
    words = (password.rstrip(endings) for password in common_passwords())
    return frozenset(word for word in words if len(word) >= 4 and word.isalpha())

"""The passwords that attackers try first, and the words in them."""

from functools import cache
from pathlib import Path

_LIST = Path(__file__).with_name("common_passwords.txt")


@cache
def common_passwords() -> frozenset[str]:
    """The list of common passwords, case-folded; it is read at the first use."""
    return frozenset(_LIST.read_text(encoding="utf-8").split())


@cache
def common_words() -> frozenset[str]:
    """The words of four letters or more in common passwords, without digits and signs at the end:
    `summer` of `summer2024`."""
    endings = "".join(map(chr, range(33, 65)))
    words = (password.rstrip(endings) for password in common_passwords())
    return frozenset(word for word in words if len(word) >= 4 and word.isalpha())

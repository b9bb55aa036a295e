"""Which passwords are strong enough, and their spelling before hashing (NIST SP 800-63B)."""

import re
from collections.abc import Collection

from app.domain.people import weak_patterns
from app.domain.people.common_passwords import common_passwords
from app.domain.text import NotText, normalize

MIN_LENGTH = 8
MAX_LENGTH = 128
_BCRYPT = re.compile(r"\$2[abxy]\$([0-9]{2})\$[./A-Za-z0-9]{53}")
_UNREADABLE = re.compile("[\0\ud800-\udfff]")


def canonical(password: str) -> str:
    """The one spelling (NFC) of a password: keyboards and systems compose accents differently.

    Text that is too long to be a password is returned unchanged. It matches no hash, and comparing it
    takes as long as comparing any other.
    """
    try:
        return normalize("NFC", password, MAX_LENGTH)
    except NotText:
        return password


def is_readable(password: str) -> bool:
    """Whether a password can be hashed: it is not empty, and has no NUL and no lone surrogate."""
    return bool(password) and not _UNREADABLE.search(password)


def cost_of(password_hash: str) -> int | None:
    """The cost of a bcrypt hash, which takes 2^cost rounds of work; None if it is no such hash."""
    match = _BCRYPT.fullmatch(password_hash)
    return int(match.group(1)) if match else None


def unmatchable_hash(cost: int) -> str:
    """A hash of this cost that no password matches, for a check that must take its time."""
    return f"$2b${cost:02}${'.' * 53}"


def weakness(password: str, context_words: Collection[str] = ()) -> str | None:
    """A sentence that says why a password is too weak, or None.

    Length is counted in characters. No mixture of characters is required: such rules make passwords
    weaker (NIST SP 800-63B, section 3.1.1.2). `context_words` are words that an attacker knows: the
    shop's name, and the email address and names of the account.
    """
    if not is_readable(password):
        return "Some of these characters cannot stand in a password."
    if not MIN_LENGTH <= len(canonical(password)) <= MAX_LENGTH:
        return f"Between {MIN_LENGTH} and {MAX_LENGTH} characters."
    if is_common(password):
        return "This password is among the first that are guessed. Choose another one."
    return weak_patterns.weakness(password, context_words)


def is_common(password: str) -> bool:
    """Whether a password is on the list of common ones, without regard to case, width, shape of letters
    and blanks around it."""
    try:
        folded = normalize("NFKC", password, MAX_LENGTH).casefold()
    except NotText:  # too long to be one
        return False
    return folded.strip() in common_passwords()

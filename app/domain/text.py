"""Text as the shop compares it: folded words for search, keys for sorting, slugs for paths."""

import re
import secrets
import unicodedata

from slugify import slugify

MAX_SLUG = 120
_WORD = re.compile(r"[^\W_]+")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_BETWEEN = re.compile("[^a-z0-9]+")
_ODD = re.compile("[&']|[0-9],[0-9]")
"""What is more than a border between words: entities, apostrophes, commas within numbers."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class NotText(ValueError):
    """A text that cannot be stored; the message says why."""


def clean(text: str, low: int, high: int, lines: bool = False) -> str:
    """The text trimmed and in one Unicode form (NFC); with `lines`, its line ends are LF.

    Raises:
        NotText: control characters, lone surrogates, or not `low` to `high` characters.
    """
    if text.isascii() and text.isprintable():  # as nearly all are: nothing in it is to be seen to
        text = text.strip()
    else:
        text = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
        if _CONTROLS.search(text) or (not lines and "\n" in text):
            raise NotText("Control characters are not allowed.")
    if not low <= len(text) <= high:
        raise NotText(f"Between {low} and {high} characters.")
    return text


def fold(text: str) -> str:
    """The text without case, accents and compatibility forms: `Café` and `CAFÉ` are `cafe`."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def words(text: str) -> list[str]:
    """The folded words of a text, in their order: letters and digits, split at all else."""
    return _WORD.findall(fold(text))


def is_slug(text: str) -> bool:
    """Whether a text can stand in a path: lower-case words joined by hyphens, never all digits."""
    return len(text) <= MAX_SLUG and bool(_SLUG.fullmatch(text)) and not text.isdigit()


def make_slug(name: str, fallback: str) -> str:
    """A slug for a name; `fallback-…` where nothing of the name can stand in a path."""
    slug = _plain_slug(name) or slugify(name, max_length=MAX_SLUG - 12, word_boundary=True).strip(
        "-"
    )
    if not slug:
        return f"{fallback}-{secrets.token_hex(4)}"
    return f"{fallback}-{slug}" if slug.isdigit() else slug


def _plain_slug(name: str) -> str:
    """What `slugify` makes of an ordinary name, at a fifth of the time; of any other nothing."""
    if len(name) > MAX_SLUG - 12 or not name.isascii() or _ODD.search(name):
        return ""
    return _BETWEEN.sub("-", name.lower()).strip("-")


def with_suffix(slug: str) -> str:
    """The same slug with a random ending, for when the plain one is taken."""
    return f"{slug[: MAX_SLUG - 7]}-{secrets.token_hex(3)}"

"""Text as the shop compares it: folded words for search, keys for sorting, slugs for paths."""

import re
import secrets
import unicodedata
from functools import lru_cache
from typing import Literal

from slugify import slugify

from app.domain.letters import FOLDED, SEPARATED

Form = Literal["NFC", "NFD", "NFKC", "NFKD"]
MAX_EXPANSION = 4
"""A composed character (NFC) is at most so many decomposed ones (NFD)."""
MAX_MARKS = 30
"""Accents and other marks on one letter (UAX #15, section 13, Stream-Safe Text Format)."""
SHORT = 512
"""Text up to this length is normalized in less than a millisecond, whatever it consists of."""
LONGEST = 20_000
"""The longest text that the shop stores: the description of a product in a CSV file."""
MAX_SLUG = 120
MAX_ID = 2**63 - 1
_WORD = re.compile(r"[^\W_]+")
_ID = re.compile(r"[1-9][0-9]{0,18}")
_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_BETWEEN = re.compile("[^a-z0-9]+")
_ODD = re.compile("[&']|[0-9],[0-9]")
"""Punctuation that `slugify` does not just replace: entities, apostrophes, commas in numbers."""
_MARK = "\u0300"
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_SEPARATORS = re.compile("[\t\x85\u2028\u2029]")
"""What separates columns and lines beside LF. In a line of text it shows as a space, and is stored so."""


_INVISIBLE = ("Cf", "Mn", "Me", "Zs", "Zl", "Zp")
"""Categories of characters that show nothing by themselves: formats, marks, separators."""
_FILLERS = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters and a symbol that are blank: fillers of Hangul, and Braille without a dot."""
_VOICED = {0x309B: "\u3099", 0x309C: "\u309a"}
"""The voiced marks of kana as characters of their own. NFKC would put a blank before them."""


class NotText(ValueError):
    """A text that cannot be stored; the message says why."""


def normalize(form: Form, text: str, limit: int) -> str:
    """The text in a Unicode normal form, where `limit` is the length that the caller accepts.

    `unicodedata.normalize` sorts the marks that follow a letter by insertion: 30,000 marks in a
    row take seconds. This function therefore looks at the raw text first. No other module may call
    `unicodedata.normalize` (ruff, TID251), and libraries that normalize by themselves get only
    text that has been here.

    Raises:
        NotText: more than 4 * `limit` characters; or more than 512, and 30 marks in a row.
    """
    if len(text) > MAX_EXPANSION * limit:
        raise NotText(f"At most {limit} characters.")
    if text.isascii():
        return text
    if len(text) > SHORT and _has_too_many_marks(text):
        raise NotText(f"More than {MAX_MARKS} accents or other marks on one letter.")
    return unicodedata.normalize(form, text)


def clean(text: str, low: int, high: int, lines: bool = False) -> str:
    """The text trimmed and in one Unicode form (NFC); with `lines`, its line ends are LF. In a text of one
    line, tabs and other separators become spaces: two names would otherwise look the same.

    Raises:
        NotText: control characters, lone surrogates, not `low` to `high` characters, nothing visible
            where there must be something, or what `normalize` refuses.
    """
    text = text.strip()
    if len(text) > MAX_EXPANSION * high:
        raise NotText(f"Between {low} and {high} characters.")
    if not (text.isascii() and text.isprintable()):  # most text is
        text = normalize("NFC", text.replace("\r\n", "\n"), high).strip()
        text = text if lines else _SEPARATORS.sub(" ", text)
        if _CONTROLS.search(text) or (not lines and "\n" in text):
            raise NotText("Control characters are not allowed.")
        if low and text and all(map(_is_invisible, text)):
            raise NotText("At least one visible character.")
    if not low <= len(text) <= high:
        raise NotText(f"Between {low} and {high} characters.")
    return text


def _is_invisible(char: str) -> bool:
    return char in _FILLERS or unicodedata.category(char) in _INVISIBLE


def fold(text: str) -> str:
    """The text as search compares it: without case, compatibility forms and accents, and with plain
    letters for such as `ł` and `æ`. `Café` and `CAFÉ` are `cafe`; バス and パス stay what they are.

    For text that has been cleaned. One character can become eighteen, so that only the first
    80,000 folded characters are returned.

    Raises:
        NotText: more than 80,000 characters.
    """
    if text.isascii():
        return text.lower()
    folded = fold_case(text).translate(FOLDED)
    return unicodedata.normalize("NFC", folded[: MAX_EXPANSION * LONGEST])


def fold_case(text: str) -> str:
    """The text without case and compatibility forms, for names: `AÑO` is `Año`, and not `Ano`.

    For text that has been cleaned, with the limits of `fold`.

    Raises:
        NotText: more than 80,000 characters.
    """
    if text.isascii():
        return text.lower()
    if len(text) > SHORT and _has_too_many_marks(text):  # old rows; new ones are refused
        text = _without_marks(text)
    composed = normalize("NFKC", text.translate(_VOICED), LONGEST)[: MAX_EXPANSION * LONGEST]
    return unicodedata.normalize("NFKC", composed.casefold())[: MAX_EXPANSION * LONGEST]


def words(text: str) -> list[str]:
    """The folded words of a text, in their order: letters with their marks and digits, split at all
    else."""
    folded = fold(text)
    if folded.isascii():
        return _WORD.findall(folded)
    return folded.translate(SEPARATED).split()


def is_slug(text: str) -> bool:
    """Whether a text can stand in a path: lower-case words joined by hyphens, never all digits."""
    return len(text) <= MAX_SLUG and bool(_SLUG.fullmatch(text)) and not text.isdigit()


def id_or_slug(text: str) -> int | str | None:
    """An id as int, a slug as str, None for any other text. No slug consists of digits only."""
    if _ID.fullmatch(text) and int(text) <= MAX_ID:
        return int(text)
    return text if is_slug(text) else None


def make_slug(name: str, fallback: str) -> str:
    """A slug for a name; `fallback-…` where nothing of the name can stand in a path."""
    slug = _plain_slug(name) or slug_words(name, MAX_SLUG - 12)
    if not slug:
        return f"{fallback}-{secrets.token_hex(4)}"
    return f"{fallback}-{slug}" if slug.isdigit() else slug


def slug_words(text: str, limit: int = 0) -> str:
    """The words of a text in `a-z0-9`, joined by hyphens; whole words up to `limit` characters.

    Empty where nothing of the text can be written so. For text that has been cleaned.
    """
    text = text[: MAX_EXPANSION * LONGEST]  # slugify normalizes by itself
    if len(text) > SHORT and _has_too_many_marks(text):
        text = _without_marks(text)
    slug: str = slugify(text, max_length=limit, word_boundary=bool(limit))
    return slug.strip("-")


def _plain_slug(name: str) -> str:
    """What `slugify` returns for an ordinary name, in a fifth of its time; empty for any other."""
    if len(name) > MAX_SLUG - 12 or not name.isascii() or _ODD.search(name):
        return ""
    return _BETWEEN.sub("-", name.lower()).strip("-")


def with_suffix(slug: str) -> str:
    """The same slug with a random ending, for when the plain one is taken."""
    return f"{slug[: MAX_SLUG - 7]}-{secrets.token_hex(3)}"


def _has_too_many_marks(text: str) -> bool:
    """Whether more than 30 marks stand in a row, counted as in the decomposed text (NFKD)."""
    shapes = {ord(char): _shape(char) for char in set(text) if _may_be_mark(char)}
    if not any(_MARK in shape for shape in shapes.values()):
        return False
    return _MARK * (MAX_MARKS + 1) in text.translate(shapes)


def _may_be_mark(char: str) -> bool:
    return bool(unicodedata.combining(char) or unicodedata.decomposition(char))


@lru_cache(maxsize=4096)
def _shape(char: str) -> str:
    """The decomposed character with U+0300 for each mark (non-starter) and a blank for all else."""
    decomposed = unicodedata.normalize("NFKD", char)
    return "".join(_MARK if unicodedata.combining(part) else " " for part in decomposed)


def _without_marks(text: str) -> str:
    """The text without the characters that are nothing but marks."""
    candidates = filter(_may_be_mark, set(text))
    marks = {ord(char): None for char in candidates if " " not in _shape(char)}
    return text.translate(marks) if marks else text

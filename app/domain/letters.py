"""Tables for `str.translate` that fold letters for search, and that tell letters from what separates words.

Which marks are accents? In Latin, Greek and Cyrillic, people leave them out when they search, and the
marks of these scripts are in blocks of their own (`_ACCENTS`). The marks of other scripts are letters, as
the voiced marks of kana and the vowels of Hindi and Thai. The exceptions are the vowel points of Arabic and
Hebrew, which are optional in writing, and the hamza and madda on Arabic letters: search engines
ignore them, too.

Latin letters that Unicode does not decompose are folded by their names: `ł` is the "latin small letter l
with stroke". The others are in `_SPELLINGS`. Libraries such as Unidecode would write all scripts in Latin
letters, so that words of different languages would be equal.
"""

import re
import unicodedata
from collections.abc import Callable

MAX_ENTRIES = 20_000
"""A table remembers at most so many characters, since callers choose them."""
_ACCENTS = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
_OPTIONAL = re.compile(
    "[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed]"
)
_IGNORED = re.compile(
    "[\u00ad\u061c\u180b-\u180e\u200d\u2060\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
"""Soft hyphens, joiners and selectors of variants, which show nothing by themselves."""
_NAME = re.compile("(?P<letter>(?:LATIN|GREEK|CYRILLIC) SMALL LETTER .+) WITH .+")
_SPELLINGS = {
    "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ı": "i", "ȷ": "j", "ŋ": "ng", "ĸ": "k",
    "ə": "e", "ǝ": "e", "ɛ": "e", "ɔ": "o", "ɵ": "o", "ʉ": "u", "ɑ": "a",
}  # fmt: skip


class CharacterTable(dict[int, str]):
    """A table for `str.translate` whose entries are computed when they are first needed."""

    def __init__(self, entry: Callable[[str], str]) -> None:
        super().__init__()
        self._entry = entry

    def __missing__(self, code: int) -> str:
        text = self._entry(chr(code))
        if len(self) < MAX_ENTRIES:
            self[code] = text
        return text


def is_mark(char: str) -> bool:
    """Whether a character belongs to the letter before it."""
    return unicodedata.category(char) in ("Mn", "Mc")


def _fold(char: str) -> str:
    """A lower-case character without accents; nothing for a mark that search ignores."""
    parts = unicodedata.normalize("NFD", char)  # noqa: TID251 - one character
    folded = "".join(_plain_letter(part) for part in parts if not _is_ignored(part))
    return unicodedata.normalize("NFC", folded)  # noqa: TID251


def _is_ignored(char: str) -> bool:
    return any(pattern.match(char) for pattern in (_ACCENTS, _OPTIONAL, _IGNORED))


def _plain_letter(char: str) -> str:
    name = _NAME.fullmatch(unicodedata.name(char, ""))
    if name:
        try:
            char = unicodedata.lookup(name["letter"])
        except KeyError:  # a letter that exists with its addition only
            return char
    return _SPELLINGS.get(char, char)


def _separate(char: str) -> str:
    return char if char.isalnum() or is_mark(char) else " "


FOLDED = CharacterTable(_fold)
"""From lower-case text in NFKC to folded text."""
SEPARATED = CharacterTable(_separate)
"""From folded text to words separated by blanks."""

"""Patterns by which attackers guess passwords (NIST SP 800-63B, section 3.1.1.2): words that the
attacker knows or that everybody uses, with a year or a sign at the end; repetition; runs of keys.

The rules look at a password's core: the text without case, without blanks around it, and without up
to six digits and signs at either end, which people like to add to a word.
"""

import re
from collections.abc import Collection, Iterator
from itertools import groupby, takewhile

from app.domain.people.common_passwords import common_passwords, common_words
from app.domain.text import fold

MIN_LENGTH = 8
MAX_ADDITIONS = 6
"""Digits and signs around a word that do not make it harder to guess."""
MAX_REST = 3
"""Letters and digits that may stand beside known words without making them harder to guess."""
LONGEST_BLOCK = 4
FEW_CHARACTERS = 3
LONGEST_WORD = 12
"""One word with a year is guessed from a dictionary: 10^5 words and 200 years are 2^24 tries."""
SHORTEST_WORD, SHORTEST_RUN = 3, 3
_TWICE = re.compile(r"(.{4,}?)\1+", re.S)
_ENDS = re.compile(r"^[\W\d_]*|[\W\d_]*$")
_SUBSTITUTES = (
    str.maketrans("@4301$57!8", "aaeoisstib"),
    str.maketrans("@4301$57!8", "aaeolsstlb"),
)
LONGEST_PATTERN = 32
"""Repetitions and rows of keys count as weak up to this many characters: attackers try short ones."""
_YEAR = "(?:19|20)[0-9]{2}"
_WORD_AND_YEAR = re.compile(
    rf"[\W_]*(?:[^\W\d_]{{1,{LONGEST_WORD}}}[\W_]*{_YEAR}|{_YEAR}[\W_]*[^\W\d_]{{1,{LONGEST_WORD}}})[\W_]*"
)
_DAY_AND_MONTH = "(?:0?[1-9]|[12][0-9]|3[01])([-./ ]?)(?:0?[1-9]|[12][0-9]|3[01])"
_DATES = [re.compile(rf"{_DAY_AND_MONTH}\1{_YEAR}"), re.compile(rf"{_YEAR}[-./ ]?{_DAY_AND_MONTH}")]
_ROWS = ("1234567890", "qwertyuiop", "qwertzuiop", "azertyuiop", "asdfghjkl", "qsdfghjklm",
         "zxcvbnm", "yxcvbnm", "abcdefghijklmnopqrstuvwxyz", "йцукенгшщзхъ", "фывапролджэ",
         "ячсмитьбю", "01234567890")  # fmt: skip


def weakness(password: str, context_words: Collection[str]) -> str | None:
    """A sentence that names the pattern of a password of 8 to 128 characters, or None."""
    text = fold(password).strip()
    if len(password.strip()) < MIN_LENGTH:
        return f"Blanks around it do not count: {MIN_LENGTH} characters or more without them."
    if len(text) <= LONGEST_PATTERN and _has_few_characters(text):
        return "It repeats the same few characters. Choose another one."
    if len(text) <= LONGEST_PATTERN and _is_row(text):
        return "It is a row of keys or of digits. Choose another one."
    if _consists_of_context(text, context_words):
        return "It consists of your name, your address or the shop's name. Choose another one."
    if any(_is_common(core) for core in _cores(text)):
        return "It is a common word with little added. Choose another one."
    if _WORD_AND_YEAR.fullmatch(text):
        return "It is a word with a year. Choose another one."
    if any(date.fullmatch(text) for date in _DATES):
        return "It is a date. Choose another one."
    return None


def _has_few_characters(text: str) -> bool:
    """Whether a text repeats a short block, or has three different characters besides blanks at most."""
    # A fold that is shorter than a password was mostly accents, which count.
    has_few = len(text) >= MIN_LENGTH and len({*text} - {" "}) <= FEW_CHARACTERS
    return has_few or _is_repeated(text) or _is_repeated(_core(text))


def _is_repeated(text: str) -> bool:
    """Whether a text repeats a block of one to four characters; the last one may be cut."""
    sizes = range(1, min(LONGEST_BLOCK, len(text) // 2) + 1)
    return any((text[:size] * len(text))[: len(text)] == text for size in sizes)


def _cores(text: str) -> Iterator[str]:
    """The words that may be behind a password: its core, its core with the usual substitutes of letters,
    and half of a core that says something twice."""
    ending = len(text) - len(text.rstrip("".join(map(chr, range(32, 65)))))
    body, rest = text[: len(text) - ending], text[len(text) - ending :]
    spellings = {text, *(body.translate(table) + rest for table in _SUBSTITUTES)}
    for spelling in spellings:
        core = _core(spelling)
        yield core
        twice = _TWICE.fullmatch(core)
        if twice:
            yield twice[1]


def _core(text: str) -> str:
    """The text without digits and signs at its ends, where those are few."""
    core = _ENDS.sub("", text)
    return core if core and len(text) - len(core) <= MAX_ADDITIONS else text


def _is_common(core: str) -> bool:
    return core in common_words() or core in common_passwords()


def _consists_of_context(text: str, context_words: Collection[str]) -> bool:
    """Whether a password has little besides the words that the attacker knows."""
    words = sorted(_words_of(context_words), key=len, reverse=True)
    spellings = {text, *(text.translate(table) for table in _SUBSTITUTES)}
    return any(_has_little_else(spelling, words) for spelling in spellings)


def _has_little_else(text: str, words: Collection[str]) -> bool:
    rest = _squeezed(text)
    for word in words:
        rest = rest.replace(word, " ")
    if " " not in rest:
        return False
    left = rest.replace(" ", "")
    letters = re.sub(r"\d", "", left)
    return len(letters) <= MAX_REST and len(left) <= MAX_ADDITIONS


def _words_of(context_words: Collection[str]) -> set[str]:
    """Each word; of an email address also the parts before and after the @ and the domain's labels."""
    parts: set[str] = set()
    for word in context_words:
        local, _at, domain = fold(word).rpartition("@")
        parts |= {fold(word), local, domain, *domain.split(".")[:-1], *re.split(r"[\W_]+", local)}
        parts |= set(fold(word).split())
    squeezed = {_squeezed(part) for part in parts}
    return {part for part in squeezed if len(part) >= SHORTEST_WORD}


def _squeezed(text: str) -> str:
    """Letters and digits only."""
    return re.sub(r"[\W_]+", "", text)


def _is_row(text: str) -> bool:
    """Whether a password is a row of keys: `abcdefgh`, or `aabbccdd` with each key pressed twice."""
    keys = "".join(key for key, _repeats in groupby(text))
    is_even = bool(keys) and len(text) % len(keys) == 0
    return _consists_of_runs(text) or (is_even and _consists_of_runs(keys))


def _consists_of_runs(text: str) -> bool:
    """Whether a password consists of pieces of rows, each of three keys or more."""
    place = 0
    while place < len(text):
        length = max(_run_length(text[place:], row) for row in _BOTH_WAYS)
        if length < SHORTEST_RUN:
            return False
        place += length
    return bool(text)


_BOTH_WAYS = [row for line in _ROWS for row in (line, line[::-1])]


def _run_length(text: str, row: str) -> int:
    """How many characters at the beginning of a text are neighbours in a row of keys."""
    pairs = zip(text, row[row.find(text[0]) :], strict=False)
    return len([*takewhile(lambda pair: pair[0] == pair[1], pairs)])

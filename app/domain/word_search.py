"""The words by which staff find orders and customers: what a row stores, and what a search asks for.

A row stores its words in one text: those of things, and after MARK those of a person, which the database
takes away when the person is erased. A search finds a row if each of its words is the beginning of one of
the row's, in whatever order. A phone number is stored as its digits in reverse, so that the last digits
are a beginning: people leave out the country or the area, and not the end.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from app.domain.text import words

MARK = "|"
"""Begins what this release stores, and separates its parts. A release that stores words differently
begins with another mark."""
MAX_WORD = 40
MAX_STORED = 10_000
"""Characters that one row stores; an order of thousands of lines is found by its first articles."""
MAX_TERMS = 20
MIN_DIGITS = 5
"""The fewest digits that are searched as a phone number."""
MAX_COUNTRY_CODE = 3
_PHONE = "tel"
_LIKE_A_PHONE = re.compile(r"[+(]*[0-9][0-9 ()/.\-\u00a0\u2010-\u2015]*")
_INTERNATIONAL = re.compile(r"\s*(\+|00)")


class WordSearch(NamedTuple):
    """What to look for: rows with all of `beginnings`, or with one of the phone numbers."""

    beginnings: tuple[str, ...]
    phone_beginning: str = ""
    phones: tuple[str, ...] = ()


def stored_words(things: Iterable[str], person: Iterable[str], phone: str = "") -> str:
    """The words of some texts and of a phone number as a row stores them."""
    of_person = _first_words([*_phone_words(phone), *_words_of(person)], MAX_STORED)
    room = MAX_STORED - sum(map(len, of_person))
    return " ".join([MARK, *_first_words(_words_of(things), room), MARK, *of_person])


def word_search(q: str) -> WordSearch | None:
    """What `q` asks for; None if it is too little to search for."""
    beginnings = tuple(word[:MAX_WORD] for word in words(q)[:MAX_TERMS])
    digits = _digits(q) if _LIKE_A_PHONE.fullmatch(q.strip()) else ""
    if len(digits) < MIN_DIGITS:
        is_enough = any(len(word) > 1 for word in beginnings)
        return WordSearch(beginnings) if is_enough else None
    # With a country code, in case the row has none: the code has one to three digits.
    national = {digits[n:].lstrip("0") for n in range(1, MAX_COUNTRY_CODE + 1)}
    phones = [_reversed(each) for each in sorted(national) if len(each) >= MIN_DIGITS]
    is_international = bool(_INTERNATIONAL.match(q))
    return WordSearch(beginnings, _reversed(digits), tuple(phones if is_international else ()))


def _first_words(texts: Iterable[str], room: int) -> list[str]:
    """Words, each once, until they have so many characters."""
    first: dict[str, None] = {}
    for word in texts:
        room -= len(word) if word not in first else 0
        if room < 0:
            break
        first[word] = None
    return list(first)


def _words_of(texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for word in words(text):
            yield word[:MAX_WORD]


def _phone_words(phone: str) -> list[str]:
    digits = _digits(phone)
    return [_reversed(digits)] if digits else []


def _digits(phone: str) -> str:
    """The digits of a phone number without the zeros before a country or an area."""
    digits = "".join(str(int(char)) for char in phone.replace("(0)", "") if char.isdecimal())
    return digits.lstrip("0")


def _reversed(digits: str) -> str:
    return (_PHONE + digits[::-1])[:MAX_WORD]

"""The words of products as the full-text indexes store them, and the terms of searches.

Some scripts have no spaces between words (Chinese, Japanese, Thai, Lao, Khmer, Burmese and others of
Unicode's line breaking class SA). A run of their letters is stored as overlapping pairs and its last
letter: 保温杯 is stored as 保温, 温杯, 杯. A search for a run asks for its pairs as a phrase, and so finds it
wherever it stands in another; a search for a single letter asks for what begins with it.

The databases would read words again from the stored text, each in its own way: FTS5 takes the vowels of
Hindi for separators. Marks are therefore stored as letters (`_STORED`), so that every word is one word
to both.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from app.domain.letters import CharacterTable, is_mark
from app.domain.text import words

LAST_LETTER = "\U0010ffff"
"""Sorts after every letter: what begins with a word lies between the word and it with this letter."""
_FIRST_LETTER = 0x20000
"""Where marks are stored: `_FIRST_LETTER` and their code. The letters there are rare Chinese ones."""
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf"  # Thai, Lao, Burmese, Khmer …
    "\u3005-\u3007\u3021-\u3029\u3040-\u30ff\u31f0-\u31ff"  # Japanese
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
    "\ua9e0-\ua9ff\uaa60-\uaadf\U0001b000-\U0001b16f]"
)


class Term(NamedTuple):
    """A word of a search: stored words that follow each other, the last of which may go on."""

    words: tuple[str, ...]
    is_beginning: bool = False
    is_plain: bool = True
    """Whether it is a word as people write it, not a part of a run of letters."""


def stored_words(text: str) -> str:
    """The words of a text as the index stores them, separated by blanks."""
    return " ".join(stored for word in words(text) for stored in _stored(word))


def search_terms(text: str) -> list[Term]:
    """The terms of a search, all of which a product must have; the last word may be unfinished."""
    terms = [_term(word) for word in words(text)]
    if terms:
        terms[-1] = terms[-1]._replace(is_beginning=True)
    return terms


def _term(word: str) -> Term:
    stored = list(_stored(word))
    if not _UNSPACED.search(word):
        return Term(tuple(stored))
    letters = _letters(word)
    ends_in_run = _is_unspaced(letters[-1])
    ends_in_pair = ends_in_run and len(letters) > 1 and _is_unspaced(letters[-2])
    if ends_in_pair:  # the run may go on where it is found
        stored.pop()
    return Term(tuple(stored), is_beginning=ends_in_run and not ends_in_pair, is_plain=False)


def _stored(word: str) -> Iterator[str]:
    if word.isascii():
        yield word
    elif not _UNSPACED.search(word):
        yield word.translate(_STORED)
    else:
        for is_unspaced, group in groupby(_letters(word), _is_unspaced):
            run = list(group)
            yield from _pairs(run) if is_unspaced else ("".join(run).translate(_STORED),)


def _pairs(letters: Sequence[str]) -> Iterator[str]:
    stored = [letter.translate(_STORED) for letter in letters]
    yield from map("".join, pairwise(stored))
    yield stored[-1]


def _letters(word: str) -> list[str]:
    """The letters of a word, each with its marks."""
    letters: list[str] = []
    for char in word:
        if letters and is_mark(char):
            letters[-1] += char
        else:
            letters.append(char)
    return letters


def _is_unspaced(letter: str) -> bool:
    return bool(_UNSPACED.match(letter))


def _as_stored(char: str) -> str:
    return chr(_FIRST_LETTER + ord(char)) if is_mark(char) and ord(char) < 0x10000 else char


_STORED = CharacterTable(_as_stored)

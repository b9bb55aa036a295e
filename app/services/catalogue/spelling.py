"""Slips of the keyboard: the words of the catalogue that one which it does not have may stand for.

PostgreSQL compares them with those it collects: `search_words` are the words of names,
`search_stems` all words, up to their first digit, which stands as 0.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text

from app.db.prepared import run

TYPO_SIMILARITY = 0.45
"""How much of a word's trigrams must be found in a word of a name for it to count as a slip."""
ONE_SLIP, TWO_SLIPS = 3, 8
"""Of so many letters one may be wrong, and two: shorter words have too many neighbours."""
MOST_ALIKE = 10
"""Of more words than this that one might be a slip of, the others are less alike."""
MOST_SLIPS = 10
"""In longer questions no slips are looked for."""
MOST_LETTERS = 50
"""Longer words are left alone, as in `search_words`; PostgreSQL compares no more than 255."""

_DIGIT = re.compile("[0-9]")
_LAST_LETTER = "\U0010ffff"

# Letters that are wrong, missing, too many, or changed places, which compared one by one would be
# two slips; more than `most` for all words that are farther apart.
_SLIPS = """(levenshtein_less_equal(known.word, asked.word, most + 1)
    - (length(known.word) = size AND translate(known.word, asked.word, '') = ''
       AND translate(asked.word, known.word, '') = '')::int)"""

# Few get the first letter wrong: words that begin with it are one part of the key's index, and are
# compared letter by letter. Names' words are compared by trigrams too, wherever those stand. That
# operator takes its threshold from a setting: looked at in the same statement, and without a row of
# it, this is evaluated before the rows are looked for, and ends with the transaction.
_LOOK_UP = text(f"""
WITH asked AS MATERIALIZED (
  SELECT number, word, length(word) AS size,
    CASE WHEN length(word) < {ONE_SLIP} THEN 0 WHEN length(word) < {TWO_SLIPS} THEN 1 ELSE 2 END
      AS most,
    CASE WHEN :is_alone THEN false
      WHEN number < :last THEN EXISTS (SELECT FROM search_stems AS known WHERE known.word = asked.word)
      ELSE EXISTS (SELECT FROM search_stems AS known
        WHERE known.word >= asked.word AND known.word < asked.word || :last_letter)
      END AS stands
  FROM unnest(CAST(:words AS text[]), CAST(:numbers AS int[])) AS asked (word, number)
)
SELECT number, alike.word, nearness
FROM asked LEFT JOIN LATERAL (
  SELECT known.word, word_similarity(asked.word, known.word) - {_SLIPS} AS nearness
  FROM (
    SELECT known.word FROM search_words AS known
    WHERE known.word %> asked.word AND
      (SELECT set_config('pg_trgm.word_similarity_threshold', '{TYPO_SIMILARITY}', true)) <> ''
    UNION
    SELECT known.word FROM search_stems AS known
    WHERE known.word >= left(asked.word, 1) AND known.word < left(asked.word, 1) || :last_letter
      AND right(known.word, 1) <> '0'
      AND CASE WHEN length(known.word) BETWEEN greatest(size - most, {ONE_SLIP}) AND size + most
        THEN {_SLIPS} <= most END
  ) AS known
  ORDER BY nearness DESC, known.word LIMIT {MOST_ALIKE}
) AS alike ON true
WHERE NOT stands
ORDER BY number, nearness DESC, alike.word
""")


class Alike(NamedTuple):
    """A word to look for, how near it is to the one that was asked for (more is better), and
    whether it may be the beginning of one."""

    word: str
    nearness: float
    is_begun: bool = False


def alike(words: Sequence[str]) -> list[list[Alike]]:
    """For each word what to look for in its place, the nearest first; one statement. Empty where
    one has nothing like it, or all stand.

    Words that products are found by stand as they are, the last one perhaps unfinished. Of one
    word alone it is known that nothing is found by it: those that have it are gone or hidden.
    """
    if len(words) > MOST_SLIPS:
        return []
    last = len(words) - 1
    found = [[Alike(word, 0.0, number == last)] for number, word in enumerate(words)]
    others = _looked_up(words)
    for number, some in others.items():
        found[number] = some
    return found if others and all(found) else []


def _looked_up(words: Sequence[str]) -> dict[int, list[Alike]]:
    """Words like these, by the numbers of those that do not stand as they are."""
    doubtful = [number for number, word in enumerate(words) if _may_be_a_slip(word)]
    if not doubtful:
        return {}
    asked = {"words": [words[number] for number in doubtful], "numbers": doubtful}
    place = {"last": len(words) - 1, "is_alone": len(words) == 1, "last_letter": _LAST_LETTER}
    found: dict[int, list[Alike]] = {}
    for row in run(_LOOK_UP, asked | place):
        found.setdefault(row.number, []).extend([Alike(row.word, row.nearness)] if row.word else [])
    return found


def _may_be_a_slip(word: str) -> bool:
    """Numbers and codes are typed right or not."""
    return len(word) <= MOST_LETTERS and not _DIGIT.search(word)

"""Spelling mistakes: the words of the catalogue that a search term may stand for.

PostgreSQL compares the term with the words that triggers collect: `search_words` are the words of
names, `search_stems` all words up to their first digit, which is stored as 0.

It would be simpler to compare trigrams alone (`pg_trgm`). But one wrong letter changes three trigrams,
which are most of those of a short word. So words that begin with the same letter are compared letter
by letter as well (`levenshtein`).
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import text

from app.db.prepared import run
from app.domain.catalogue.search_terms import LAST_LETTER, Term

MIN_SIMILARITY = 0.45
"""The part of a term's trigrams that a word of a name must have to be similar."""
ONE_MISTAKE, TWO_MISTAKES = 3, 8
"""The lengths from which one or two letters may be wrong: shorter words have too many neighbours."""
MAX_CANDIDATES = 10
MAX_TERMS = 10
"""Longer searches are not corrected."""
MAX_LETTERS = 50
"""Longer words are not in `search_words`; `levenshtein` compares no more than 255 bytes."""

_DIGIT = re.compile("[0-9]")

# The number of letters that are wrong, missing, too many, or swapped (which levenshtein counts as two
# mistakes); more than `most` for words that are farther apart.
_MISTAKES = """(levenshtein_less_equal(stored.word, terms.word, most + 1)
    - (length(stored.word) = size AND translate(stored.word, terms.word, '') = ''
       AND translate(terms.word, stored.word, '') = '')::int)"""

# Few people get the first letter wrong: words that begin with it are one range of the index, and are
# compared letter by letter. Words of names are compared by trigrams as well, whatever their first
# letter. The threshold of that operator (%>) is a setting. The subquery that sets it is independent of
# the rows, so PostgreSQL evaluates it before it reads them; the setting ends with the transaction.
_SIMILAR_WORDS = text(f"""
WITH terms AS MATERIALIZED (
  SELECT number, word, length(word) AS size,
    CASE WHEN length(word) < {ONE_MISTAKE} THEN 0 WHEN length(word) < {TWO_MISTAKES} THEN 1 ELSE 2 END
      AS most,
    CASE WHEN :is_alone THEN false
      WHEN number < :last THEN EXISTS (SELECT FROM search_stems AS stored WHERE stored.word = terms.word)
      ELSE EXISTS (SELECT FROM search_stems AS stored
        WHERE stored.word >= terms.word AND stored.word < terms.word || :last_letter)
      END AS is_stored
  FROM unnest(CAST(:terms AS text[]), CAST(:numbers AS int[])) AS terms (word, number)
)
SELECT number, similar_word.word, nearness
FROM terms LEFT JOIN LATERAL (
  SELECT stored.word, word_similarity(terms.word, stored.word) - {_MISTAKES} AS nearness
  FROM (
    SELECT stored.word FROM search_words AS stored
    WHERE stored.word %> terms.word AND
      (SELECT set_config('pg_trgm.word_similarity_threshold', '{MIN_SIMILARITY}', true)) <> ''
    UNION
    SELECT stored.word FROM search_stems AS stored
    WHERE stored.word >= left(terms.word, 1) AND stored.word < left(terms.word, 1) || :last_letter
      AND right(stored.word, 1) <> '0'
      AND CASE WHEN length(stored.word) BETWEEN greatest(size - most, {ONE_MISTAKE}) AND size + most
        THEN {_MISTAKES} <= most END
  ) AS stored
  ORDER BY nearness DESC, stored.word LIMIT {MAX_CANDIDATES}
) AS similar_word ON true
WHERE NOT is_stored
ORDER BY number, nearness DESC, similar_word.word
""")


class Candidate(NamedTuple):
    """What to look for instead of a term, and how near it is to the term (more is better). Products may
    have longer words that begin with it if it is a beginning."""

    term: Term
    nearness: float


def candidates(terms: Sequence[Term]) -> list[list[Candidate]]:
    """For each term what to look for, the nearest first; one statement. Empty if nothing resembles
    one of the terms, or no term is misspelt.

    Terms that are words of the catalogue stay as they are. A single term is always corrected: the
    caller has already searched for it without success.
    """
    if len(terms) > MAX_TERMS:
        return []
    places = [[Candidate(term, 0.0)] for term in terms]
    similar = _similar_words(terms)
    for number, words in similar.items():
        places[number] = words
    return places if similar and all(places) else []


def _similar_words(terms: Sequence[Term]) -> dict[int, list[Candidate]]:
    """The words that resemble the terms that are no words of the catalogue, by their numbers."""
    numbers = [number for number, term in enumerate(terms) if _may_be_misspelt(term)]
    if not numbers:
        return {}
    parameters = {
        "terms": [terms[number].words[0] for number in numbers],
        "numbers": numbers,
        "last": len(terms) - 1,
        "is_alone": len(terms) == 1,
        "last_letter": LAST_LETTER,
    }
    similar: dict[int, list[Candidate]] = {}
    for row in run(_SIMILAR_WORDS, parameters):
        words = similar.setdefault(row.number, [])
        if row.word:
            words.append(Candidate(Term((row.word,)), row.nearness))
    return similar


def _may_be_misspelt(term: Term) -> bool:
    """Numbers and codes are typed right or not; runs of letters without spaces are no words."""
    word = term.words[0]
    return term.is_plain and len(word) <= MAX_LETTERS and not _DIGIT.search(word)

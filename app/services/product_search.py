"""Finding products by words, on either database: each has its own full-text index.

The words of names and SKUs stand in `products.search_title`, those of descriptions in
`search_body`, folded by `domain.text.words`; what is looked for is folded the same way, so that a
word is letters and digits only and needs no escaping.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, column, func, literal_column, select, table, text

from app.extensions import db
from app.models import Product

Condition = ColumnElement[bool]

# So far apart that the place of a word counts more than how often it stands there.
TITLE_WEIGHT, BODY_WEIGHT = 10_000.0, 1.0
TITLE_RANK, BODY_RANK = 1.0, 0.01
TYPO_SIMILARITY = 0.45
"""How much of a word's trigrams must be found for it to count as a slip of the keyboard."""

_FTS = table("products_fts", column("rowid"))


@dataclass(frozen=True)
class Match:
    """Which products are meant, and how well each fits (more is better)."""

    conditions: tuple[Condition, ...]
    fitness: ColumnElement[Any]


def by_words(words: list[str]) -> Match:
    """Products that have all the words, the last one perhaps unfinished; names before
    descriptions."""
    return _on_postgresql(words) if _is_postgresql() else _on_sqlite(words)


def by_similar_words(words: list[str]) -> Match | None:
    """Products whose name has words much like these; None where the database can't compare so.

    Holds for this transaction, whose threshold it sets.
    """
    if not _is_postgresql():
        return None
    db.session.execute(
        text("SELECT set_config('pg_trgm.word_similarity_threshold', :share, true)"),
        {"share": str(TYPO_SIMILARITY)},
    )
    likeness = [func.word_similarity(word, Product.search_title) for word in words]
    alike = tuple(Product.search_title.op("%>", is_comparison=True)(word) for word in words)
    return Match(alike, sum(likeness[1:], start=likeness[0]))


def any_product(match: Match, visible: tuple[Condition, ...]) -> bool:
    """Whether the words alone find anything that the caller may see."""
    query = select(Product.id).where(*visible, *match.conditions).limit(1)
    return db.session.scalar(query) is not None


def _is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"


def _on_postgresql(words: list[str]) -> Match:
    quoted = [f"'{word}'" for word in words]
    query = func.to_tsquery("simple", " & ".join(quoted) + ":*")
    vector: ColumnElement[Any] = literal_column("products.search_vector")
    weights: ColumnElement[Any] = literal_column(f"'{{0, {BODY_RANK}, 0, {TITLE_RANK}}}'::real[]")
    return Match(
        (vector.op("@@", is_comparison=True)(query),), func.ts_rank(weights, vector, query)
    )


def _on_sqlite(words: list[str]) -> Match:
    quoted = " ".join(f'"{word}"' for word in words) + "*"
    index: ColumnElement[Any] = literal_column("products_fts")
    found = index.op("MATCH", is_comparison=True)(quoted)
    # bm25 is the smaller the better (https://www.sqlite.org/fts5.html#the_bm25_function).
    return Match((_FTS.c.rowid == Product.id, found), -func.bm25(index, TITLE_WEIGHT, BODY_WEIGHT))

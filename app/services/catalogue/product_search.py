"""Finding products by words, on either database: each has its own full-text index.

The words of names and SKUs stand in `products.search_title`, those of descriptions in
`search_body`, folded by `domain.text.words`; what is looked for is folded the same way, so that a
word is letters and digits only and needs no escaping. Statements name the words as parameters, so
that they are made once.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Engine,
    Subquery,
    Text,
    and_,
    bindparam,
    case,
    column,
    false,
    func,
    literal,
    literal_column,
    select,
    table,
    text,
    union_all,
)

from app.db.paging import LIMIT, MAX_DEPTH, OFFSET
from app.db.prepared import run
from app.extensions import db
from app.models import Product
from app.services.catalogue import spelling
from app.services.catalogue.spelling import Alike

Condition = ColumnElement[bool]

# So far apart that the place of a word counts more than how often it stands there.
TITLE_WEIGHT, BODY_WEIGHT = 10_000.0, 1.0
TITLE_RANK, BODY_RANK = 1.0, 0.01
NAMES_FIRST = 1_000.0
"""More than all words that are looked for with slips can be nearer or farther."""
MOST_ENDINGS = 30
"""Of more words that begin as the last one does, the index is asked for the beginning itself."""
MOST_RANKED = MAX_DEPTH
"""Of more finds than pages reach, names come first, then the rest, by id."""
CERTAINLY_MANY = MAX_DEPTH * 5 // 4
ASK_SECONDS = 60
"""How often it is asked whether there are as many products at all."""

_FTS = table("products_fts", column("rowid"))
# All words up to their first digit, which stands as 0: triggers on `products` collect them.
_STEMS = table("search_stems", column("word", Text))
_LAST_LETTER = "\U0010ffff"
_VECTOR: ColumnElement[Any] = literal_column("products.search_vector")
# Word for word as in its index.
_NAME: ColumnElement[Any] = literal_column("to_tsvector('simple', products.search_title)")
_SIZE = text("SELECT reltuples FROM pg_class WHERE oid = 'products'::regclass")
_HOW_MANY = {
    in_names: text(
        "EXPLAIN (FORMAT JSON) SELECT FROM products WHERE deleted_at IS NULL AND is_active"
        f" AND {_NAME if in_names else _VECTOR} @@ to_tsquery('simple', :query)"
    )
    for in_names in (False, True)
}


@dataclass(frozen=True, eq=False)
class Match:
    """Which products are meant, and how well each fits (more is better).

    `has` is for statements that find products by words first, `has_somewhere` for those that may
    walk along another order until some have them. `in_name` and `in_names_everywhere` likewise tell
    those apart that have all words in name and SKU, where an index can.
    """

    has: tuple[Condition, ...]
    fitness: ColumnElement[Any]
    has_somewhere: tuple[Condition, ...]
    in_name: Condition = field(default_factory=false)
    in_names_everywhere: Condition = field(default_factory=false)
    is_constant: bool = True
    """Whether it is the same for all words."""


def by_words() -> Match:
    """Products that have all the words, the last one perhaps unfinished; names before
    descriptions. The words are named by `values`."""
    return _on_postgresql() if _is_postgresql() else _on_sqlite()


def values(words: Sequence[str]) -> dict[str, str]:
    """The parameters of `by_words` for these words."""
    *others, last = words
    if not _is_postgresql():
        return {"query": " ".join(f'"{word}"' for word in words) + "*"}
    quoted = " & ".join(map(_quoted, words))
    return {
        "query": quoted + ":*",
        "query_in_names": " & ".join(f"{_quoted(word)}:A" for word in others) + " & " * bool(others)
        + f"{_quoted(last)}:*A",
        "begun": " & ".join([*map(_quoted, others), "("]),
        "first": last,
        "last": last + _LAST_LETTER,
    }  # fmt: skip


def by_similar_words(words: Sequence[str]) -> Match | None:
    """Products that have words much like these, names before descriptions and near words before
    far ones; None where none are, or the database can't compare so."""
    if not _is_postgresql():
        return None
    known = spelling.alike(list(dict.fromkeys(words)))
    if not known:
        return None
    query, in_names = _one_of_each(known), _one_of_each(known, "A")
    has = _matches(_VECTOR, query)
    fitness = sum(
        map(_nearness, known), start=case((_matches(_VECTOR, in_names), NAMES_FIRST), else_=0.0)
    )
    return Match((has,), fitness, (has,), _matches(_NAME, query), is_constant=False)


def _one_of_each(known: Sequence[Sequence[Alike]], weight: str = "") -> ColumnElement[Any]:
    """The query for one of the words in each place."""
    places = (" | ".join(_term(one, weight) for one in some) for some in known)
    return func.to_tsquery("simple", " & ".join(f"({place})" for place in places))


def _term(one: Alike, weight: str = "") -> str:
    suffix = "*" * one.is_begun + weight
    return _quoted(one.word) + f":{suffix}" * bool(suffix)


def _nearness(known: Sequence[Alike]) -> ColumnElement[Any]:
    """That of the nearest word that a product has."""
    whens = [
        (_matches(_VECTOR, func.to_tsquery("simple", _term(one))), one.nearness) for one in known
    ]
    return case(*whens, else_=0.0)


def met(match: Match, conditions: Sequence[Condition], *columns: Any, most: Any = None) -> CTE:
    """Ids and these columns of what is found, whatever is done with it; `most` of them.

    PostgreSQL would else look for the first few along another index, or along the table: right for
    words that are everywhere, and a walk through the whole catalogue for those that it only
    believes to be. Rows are still found one by one, as they are asked for.
    """
    found = select(Product.id, *columns).where(*conditions, *match.has).limit(most)
    return found.cte().prefix_with("MATERIALIZED", dialect="postgresql")


def best(match: Match, conditions: Sequence[Condition]) -> tuple[Subquery, CTE]:
    """A part of the finds by how well they fit, as `id` and `fitness`, and all that were looked at:
    on PostgreSQL MOST_RANKED + 1. Of more than MOST_RANKED, use `names_first`."""
    most = MOST_RANKED + 1 if has_limits() else None
    found = met(match, conditions, match.fitness.label("fitness"), most=most)
    query = select(found.c.id, found.c.fitness).order_by(found.c.fitness.desc(), found.c.id)
    return query.limit(LIMIT).offset(OFFSET).subquery(), found


def names_first(match: Match, conditions: Sequence[Condition]) -> Subquery:
    """A part of the finds as `id` and `place`: those with all words in their names, then others,
    each by id; of both as many as pages reach."""
    in_name = met(Match((match.in_name,), match.fitness, ()), conditions, most=MAX_DEPTH)
    names = select(func.count()).select_from(in_name).scalar_subquery()
    others = met(match, conditions, most=MAX_DEPTH)
    both = union_all(
        select(in_name.c.id, literal(0).label("place")),
        # Not looked for where there are names enough.
        select(others.c.id, literal(1)).where(names < LIMIT + OFFSET),
    ).subquery()
    place = func.min(both.c.place).label("place")
    query = select(both.c.id, place).group_by(both.c.id).order_by(place, both.c.id)
    return query.limit(LIMIT).offset(OFFSET).subquery()


def names_alone(match: Match, conditions: Sequence[Condition]) -> Subquery:
    """As `names_first`, where so many names have the word that pages show no others."""
    query = select(Product.id).where(*conditions, match.in_names_everywhere)
    return query.order_by(Product.id).limit(LIMIT).offset(OFFSET).subquery()


def is_everywhere(words: Sequence[str], in_names: bool = False) -> bool:
    """Whether so many products have this one word that nobody need count them.

    PostgreSQL keeps count of common words and knows within a few in a hundred. It does not know
    which words come together, so of several nothing is said.
    """
    if len(words) != 1 or not _is_postgresql():
        return False
    if not is_large(db.engine, int(time.monotonic() // ASK_SECONDS)):
        return False
    (plan,) = run(_HOW_MANY[in_names], query=values(words)["query"]).scalar_one()
    found: float = plan["Plan"]["Plan Rows"]
    return found > CERTAINLY_MANY


@lru_cache(maxsize=4)
def is_large(_engine: Engine, _moment: int) -> bool:
    """Whether there are enough products for a word to be everywhere. Asked once a while: it only
    decides whether to ask more."""
    return bool(run(_SIZE).scalar_one() > CERTAINLY_MANY)


def has_limits() -> bool:
    """Whether only so many finds are ranked."""
    return _is_postgresql()


def _is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"


@lru_cache(maxsize=1)
def _on_postgresql() -> Match:
    query = func.to_tsquery("simple", bindparam("query"))
    in_names = func.to_tsquery("simple", bindparam("query_in_names"))
    weights: ColumnElement[Any] = literal_column(f"'{{0, {BODY_RANK}, 0, {TITLE_RANK}}}'::real[]")
    return Match(
        (_matches(_VECTOR, finished()),),
        func.ts_rank(weights, _VECTOR, query),
        (_matches(_VECTOR, query),),
        _matches(_NAME, finished()),
        # Titles have weight A in the vector, which is quicker to look at than to make one of names.
        _matches(_VECTOR, in_names),
    )


def finished() -> ColumnElement[Any]:
    """The query with all words that the last one may be the beginning of.

    For a beginning, the index would collect all products that have a word which begins so: of a
    word that is whole most often, and then in a tenth of the catalogue, it is better looked for as
    such. Nothing is lost: words are collected before products are found by them.
    """
    word = _STEMS.c.word
    begun_so = word >= bindparam("first"), word < bindparam("last")
    some = select(word).where(*begun_so).limit(MOST_ENDINGS + 1).subquery()
    few = func.count() <= MOST_ENDINGS
    plain = func.bool_and(some.c.word.op("~", is_comparison=True)("^[a-z]+$"))
    words = func.string_agg(func.quote_literal(some.c.word), " | ")
    whole = func.concat(bindparam("begun"), words, ")")
    query = case((and_(few, plain), whole), else_=bindparam("query"))
    return select(func.to_tsquery("simple", query)).scalar_subquery()


def _matches(vector: ColumnElement[Any], query: Any) -> Condition:
    return vector.op("@@", is_comparison=True)(query)


def _quoted(word: str) -> str:
    return f"'{word}'"


@lru_cache(maxsize=1)
def _on_sqlite() -> Match:
    index: ColumnElement[Any] = literal_column("products_fts")
    found = index.op("MATCH", is_comparison=True)(bindparam("query"))
    has = (_FTS.c.rowid == Product.id, found)
    # bm25 is the smaller the better (https://www.sqlite.org/fts5.html#the_bm25_function).
    return Match(has, -func.bm25(index, TITLE_WEIGHT, BODY_WEIGHT), has)

"""Finding products by words with the full-text index of either database.

The words of names and SKUs are in `products.search_title`, those of descriptions in `search_body`,
as `domain.catalogue.search_terms` writes them. Search terms are written the same way, so they consist of
letters and digits only and need no escaping.

The hard part is the words that a large part of the catalogue has: to rank all products that have one
reads them all. On the other hand, PostgreSQL's estimate can be wrong: if it takes a rare word for a
common one, it walks through the catalogue until enough products match. So there are four rules:

1. Matching products are selected first, in a CTE (`matches`); sorting and ranking follow.
2. At most MAX_RANKED of them are ranked. If there are more, those with the words in name or SKU come
   first, then the others, both by id (`by_name`). Totals end at that number, too.
3. The last term may be the beginning of a word. To collect all words that begin so from the index is
   slow, so the statement looks for the whole words if they are few (`complete_query`).
4. A single term is not looked up for each page if more products have it than pages reach: the index of
   the order is read until the page is full, but at most MAX_WALK products of it (`walk`). If that does
   not fill the page, rules 1 and 2 apply. The planner's estimate proposes it (`is_common`), and a count
   that is at most ten seconds old confirms it: the estimate is far too high where most products with a
   term are inactive.

What rule 4 buys once the count is known, in the database's CPU with 150,000 products: `c` 1.8 ms instead
of 59, `the` 1.7 instead of 43, `the` newest first 1.3 instead of 74. Without it the time grows with the
catalogue. The row "search, beginnings and common words" of `bench --scale` asks such questions.

Simpler but wrong: to decide by the length of a term, since no product may have a word in `zq`; to ask
the planner about several terms or a filter, since it does not know what occurs together; to read the
index to its end (see MAX_WALK). `pg_stats` has the planner's figures, but to read them takes 0.9 ms
instead of EXPLAIN's 0.2, and the role of the app does not see those of the names' index.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Engine,
    Label,
    Select,
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
    or_,
    select,
    table,
    text,
    union_all,
)

from app.db.paging import LIMIT, MAX_DEPTH, OFFSET, SortKey
from app.db.postgresql import is_postgresql
from app.db.prepared import run
from app.domain.catalogue.search_terms import LAST_LETTER, Term
from app.extensions import db
from app.models import Product
from app.services.catalogue import spelling
from app.services.catalogue.spelling import Candidate

Condition = ColumnElement[bool]

# A word in the title outranks any number of occurrences in the description.
TITLE_WEIGHT, BODY_WEIGHT = 10_000.0, 1.0
TITLE_RANK, BODY_RANK = 1.0, 0.01
NAMES_FIRST = 1_000.0
"""Larger than any difference in the nearness of similar words."""
MAX_ENDINGS = 30
"""If more words begin with the last term, the index looks for the beginning itself."""
MAX_RANKED = MAX_DEPTH
MIN_COMMON = MAX_DEPTH * 5 // 4
"""A term with more products is common: estimates are a few per cent off."""
MAX_WALK = 20_000
"""Products that are read along an index for a common term. All that have it may be at the far end:
one supplier's products are often added at once. Reading 150,000 took 0.3 to 0.7 s."""
BY_ID = SortKey("id", Product.id, Product.id)
SIZE_SECONDS = 60
"""How long it is kept whether the shop has enough products for a term to be common."""

_FTS = table("products_fts", column("rowid"))
# All words up to their first digit, which is stored as 0: triggers on `products` collect them.
_STEMS = table("search_stems", column("word", Text))
_VECTOR: ColumnElement[str] = literal_column("products.search_vector")
# Written as in its index.
_NAME: ColumnElement[str] = literal_column("to_tsvector('simple', products.search_title)")
_SIZE = text("SELECT reltuples FROM pg_class WHERE oid = 'products'::regclass")
_ESTIMATES = {
    in_names: text(
        "EXPLAIN (FORMAT JSON) SELECT FROM products WHERE deleted_at IS NULL AND is_active"
        f" AND {_NAME if in_names else _VECTOR} @@ to_tsquery('simple', :query)"
    )
    for in_names in (False, True)
}


@dataclass(frozen=True, eq=False)
class Match:
    """The conditions of the products that match, and how well each fits (more is better)."""

    conditions: tuple[Condition, ...]
    fitness: ColumnElement[float]
    scan_conditions: tuple[Condition, ...]
    """As `conditions`, for statements that walk along an index until enough products match."""
    in_name: Condition = field(default_factory=false)
    """Whether all words are in name and SKU; only where `has_limit`."""
    scan_in_name: Condition = field(default_factory=false)
    """As `in_name`, for statements that walk along an index."""
    is_constant: bool = True
    """Whether the terms are bound. Otherwise they are part of the SQL."""


class Search(NamedTuple):
    """What to look for: a match, and the values that it binds."""

    match: Match
    parameters: Mapping[str, object]
    is_one_term: bool = False


def exact_search(terms: Sequence[Term]) -> Search:
    """Products with all the terms, the last of which may be the beginning of a word."""
    if not is_postgresql():
        return Search(_sqlite_match(), {"query": " ".join(map(_fts5_query, terms))})
    *others, last = terms
    begins_word = last.is_plain and last.is_beginning
    word = last.words[0] if begins_word else ""
    parameters = {
        "query": " & ".join(map(_query, terms)),
        "begun": " & ".join([*map(_query, others), "("]),
        "first": word,
        "last": word + LAST_LETTER * begins_word,
    }
    return Search(_postgresql_match(), parameters, is_one_term=len(terms) == len(last.words) == 1)


def similar_search(terms: Sequence[Term]) -> Search | None:
    """Products with words that resemble the terms: names before descriptions, then near words before
    far ones. None if the catalogue has no such words, or the database cannot compare them."""
    if not is_postgresql():
        return None
    places = spelling.candidates(list(dict.fromkeys(terms)))
    if not places:
        return None
    query, in_names = _one_of_each(places), _one_of_each(places, "A")
    has_words = _matches(_VECTOR, query)
    fitness = sum(
        map(_nearness, places), start=case((_matches(_VECTOR, in_names), NAMES_FIRST), else_=0.0)
    )
    in_name = _matches(_NAME, query)
    return Search(Match((has_words,), fitness, (has_words,), in_name, is_constant=False), {})


def has_limit() -> bool:
    """Whether at most MAX_RANKED products are ranked. SQLite's index ranks as it reads."""
    return is_postgresql()


def is_common(search: Search, in_names: bool = False) -> bool:
    """Whether the planner expects the only term of a search in so many products, or names of
    products, that a walk along an index soon fills a page."""
    if not (search.is_one_term and is_postgresql()):
        return False
    if not _is_large(db.engine, int(time.monotonic() // SIZE_SECONDS)):
        return False
    (plan,) = run(_ESTIMATES[in_names], query=search.parameters["query"]).scalar_one()
    return bool(plan["Plan"]["Plan Rows"] > MIN_COMMON)


def or_these(match: Match, are_these: Condition) -> Match:
    """The products that match, and these, which come first."""
    fitness, conditions, scan_conditions = match.fitness, match.conditions, match.scan_conditions
    if not is_postgresql():  # MATCH does not work beside OR, and bm25 only beside MATCH
        in_index = select(_FTS.c.rowid).where(conditions[1]).scalar_subquery()
        fitness = select(match.fitness).where(*conditions).correlate(Product).scalar_subquery()
        conditions = scan_conditions = (Product.id.in_(in_index),)
    return Match(
        (or_(and_(*conditions), are_these),),
        case((are_these, NAMES_FIRST), else_=fitness),
        (or_(and_(*scan_conditions), are_these),),
        or_(match.in_name, are_these),
        or_(match.scan_in_name, are_these),
        is_constant=False,
    )


def matches(
    match: Match, conditions: Sequence[Condition], *columns: Label[Any], limit: int | None = None
) -> CTE:
    """The ids and these columns of at most `limit` products that match, found before anything else.

    Without MATERIALIZED, PostgreSQL may walk along another index, or the table, until enough products
    match (see above). Rows are read only as far as they are needed all the same.
    """
    rows = select(Product.id, *columns).where(*conditions, *match.conditions).limit(limit)
    return rows.cte().prefix_with("MATERIALIZED", dialect="postgresql")


def ranked(match: Match, conditions: Sequence[Condition]) -> tuple[Subquery, CTE]:
    """A part of the products by how well they fit, as `id` and `fitness`; and all that were ranked,
    one more than MAX_RANKED if there are too many."""
    limit = MAX_RANKED + 1 if has_limit() else None
    rows = matches(match, conditions, match.fitness.label("fitness"), limit=limit)
    part = select(rows.c.id, rows.c.fitness).order_by(rows.c.fitness.desc(), rows.c.id)
    return part.limit(LIMIT).offset(OFFSET).subquery(), rows


def walk(
    conditions: Sequence[Condition], has_words: Sequence[Condition], key: SortKey
) -> Select[int]:
    """The ids of the matches among the first MAX_WALK products in this order, which an index gives;
    reads only as many products as are needed."""
    rows = select(Product.id, key.column.label("key"), and_(*has_words).label("is_match"))
    rows = rows.where(*conditions).order_by(*key.order_by()).limit(MAX_WALK)
    first = rows.subquery()
    order = first.c.key.desc() if key.descending else first.c.key.asc()
    return select(first.c.id).where(first.c.is_match).order_by(order, first.c.id)


def by_name(match: Match, conditions: Sequence[Condition], is_common: bool = False) -> Subquery:
    """A part of the products as `id` and `place`: those with all words in their names (0), then the
    others (1), each by id. If more match than pages reach, any MAX_DEPTH of them are used."""
    named = matches(Match((match.in_name,), match.fitness, ()), conditions, limit=MAX_DEPTH)
    count = select(func.count()).select_from(named).scalar_subquery()
    if is_common:
        others = walk(conditions, match.scan_conditions, BY_ID).limit(LIMIT + OFFSET).cte()
    else:
        others = matches(match, conditions, limit=MAX_DEPTH)
    rows = union_all(
        select(named.c.id, literal(0).label("place")),
        # Not read if the names fill the page.
        select(others.c.id, literal(1)).where(count < LIMIT + OFFSET),
    ).subquery()
    place = func.min(rows.c.place).label("place")
    part = select(rows.c.id, place).group_by(rows.c.id).order_by(place, rows.c.id)
    return part.limit(LIMIT).offset(OFFSET).subquery()


def complete_query() -> ColumnElement[str]:
    """The query with all words that begin with the last term, if these are few.

    For a beginning, the index collects the products of all words that begin so. Most often the last
    term is a whole word already, which is then looked for as such: a tenth of the catalogue may have
    a word that begins like it. No product is missed, since a word is collected before products are
    found by it.
    """
    word = _STEMS.c.word
    begins = word >= bindparam("first"), word < bindparam("last")
    endings = select(word).where(*begins).limit(MAX_ENDINGS + 1).subquery()
    are_few = func.count() <= MAX_ENDINGS
    are_letters = func.bool_and(endings.c.word.op("~", is_comparison=True)("^[a-z]+$"))
    words = func.string_agg(func.quote_literal(endings.c.word), " | ")
    whole = func.concat(bindparam("begun"), words, ")")
    query = case((and_(are_few, are_letters), whole), else_=bindparam("query"))
    return select(func.to_tsquery("simple", query)).scalar_subquery()


@lru_cache(maxsize=4)
def _is_large(_engine: Engine, _minute: int) -> bool:
    """Whether the shop has enough products for a term to be common."""
    return bool(run(_SIZE).scalar_one() > MIN_COMMON)


@lru_cache(maxsize=1)
def _postgresql_match() -> Match:
    query = func.to_tsquery("simple", bindparam("query"))
    weights: ColumnElement[str] = literal_column(f"'{{0, {BODY_RANK}, 0, {TITLE_RANK}}}'::real[]")
    return Match(
        (_matches(_VECTOR, complete_query()),),
        func.ts_rank(weights, _VECTOR, query),
        (_matches(_VECTOR, query),),
        _matches(_NAME, complete_query()),
        _matches(_NAME, query),
    )


@lru_cache(maxsize=1)
def _sqlite_match() -> Match:
    index: ColumnElement[str] = literal_column("products_fts")
    has_words = index.op("MATCH", is_comparison=True)(bindparam("query"))
    conditions = (_FTS.c.rowid == Product.id, has_words)
    # The smaller bm25, the better (https://www.sqlite.org/fts5.html#the_bm25_function).
    return Match(conditions, -func.bm25(index, TITLE_WEIGHT, BODY_WEIGHT), conditions)


def _matches(vector: ColumnElement[str], query: ColumnElement[str]) -> Condition:
    return vector.op("@@", is_comparison=True)(query)


def _one_of_each(places: Sequence[Sequence[Candidate]], weight: str = "") -> ColumnElement[str]:
    """The query for one of the candidates in each place."""
    queries = (" | ".join(_query(word.term, weight) for word in place) for place in places)
    return func.to_tsquery("simple", " & ".join(f"({query})" for query in queries))


def _nearness(place: Sequence[Candidate]) -> ColumnElement[float]:
    """The nearness of the nearest candidate that a product has."""
    whens = [
        (_matches(_VECTOR, func.to_tsquery("simple", _query(word.term))), word.nearness)
        for word in place
    ]
    return case(*whens, else_=0.0)


def _query(term: Term, weight: str = "") -> str:
    """A term in PostgreSQL's language of queries; of several words, as a phrase."""
    suffixes = [weight] * (len(term.words) - 1) + ["*" * term.is_beginning + weight]
    words = [
        f"'{word}'" + f":{suffix}" * bool(suffix)
        for word, suffix in zip(term.words, suffixes, strict=True)
    ]
    return words[0] if len(words) == 1 else f"({' <-> '.join(words)})"


def _fts5_query(term: Term) -> str:
    return f'"{" ".join(term.words)}"' + "*" * term.is_beginning

"""Finding products by words, on either database: each has its own full-text index.

The words of names and SKUs stand in `products.search_title`, those of descriptions in
`search_body`, folded by `domain.text.words`; what is looked for is folded the same way, so that a
word is letters and digits only and needs no escaping.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Subquery,
    Text,
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

from app.extensions import db
from app.models import Product
from app.services.paging import MAX_DEPTH

Condition = ColumnElement[bool]

# So far apart that the place of a word counts more than how often it stands there.
TITLE_WEIGHT, BODY_WEIGHT = 10_000.0, 1.0
TITLE_RANK, BODY_RANK = 1.0, 0.01
TYPO_SIMILARITY = 0.45
"""How much of a word's trigrams must be found for it to count as a slip of the keyboard."""

MOST_ALIKE = 10
"""Of more words than this that one might be a slip of, the others are less alike."""
MOST_SLIPS = 10
"""In longer questions no slips are looked for."""
MOST_RANKED = MAX_DEPTH
"""Of more finds than pages reach, names come first, then the rest, by id."""
CERTAINLY_MANY = MAX_DEPTH * 5 // 4

_FTS = table("products_fts", column("rowid"))
# All words of names that have no digit: triggers on `products` collect them.
# The operator takes its threshold from a setting. Looked at in the same statement, and without a
# row of it, this is evaluated before the rows are looked for, and ends with the statement.
_THRESHOLD = select(
    func.set_config("pg_trgm.word_similarity_threshold", str(TYPO_SIMILARITY), True)
).scalar_subquery()
_WORDS = table("search_words", column("word", Text))
_VECTOR: ColumnElement[Any] = literal_column("products.search_vector")
# Word for word as in its index.
_NAME: ColumnElement[Any] = literal_column("to_tsvector('simple', products.search_title)")


@dataclass(frozen=True)
class Match:
    """Which products are meant, and how well each fits (more is better).

    `in_name` tells those apart that have all words in name and SKU, where an index can.
    """

    conditions: tuple[Condition, ...]
    fitness: ColumnElement[Any]
    in_name: Condition | None = None


def by_words(words: list[str]) -> Match:
    """Products that have all the words, the last one perhaps unfinished; names before
    descriptions."""
    return _on_postgresql(words) if _is_postgresql() else _on_sqlite(words)


def by_similar_words(words: Sequence[str]) -> Match | None:
    """Products whose names have words much like these; None where no name has, or the database
    can't compare so.

    The words of all names are a short list, however many products there are.
    """
    if not _is_postgresql():
        return None
    known = _similar(list(dict.fromkeys(words)))
    if not known or not all(known):
        return None
    query = " & ".join(f"({' | '.join(_quoted(one.word) for one in some)})" for some in known)
    has = _NAME.op("@@", is_comparison=True)(func.to_tsquery("simple", query))
    likeness = [_likeness(some) for some in known]
    return Match((has,), sum(likeness[1:], start=likeness[0]), has)


def _similar(words: Sequence[str]) -> list[list[Any]]:
    """For each word those that it may be a slip of, the most alike first; one statement."""
    if len(words) > MOST_SLIPS:
        return []
    looked_up = []
    for number, word in enumerate(words):
        likeness = func.word_similarity(word, _WORDS.c.word).label("likeness")
        query = select(_WORDS.c.word, likeness, literal(number).label("number"))
        query = query.where(_THRESHOLD != "", _WORDS.c.word.op("%>", is_comparison=True)(word))
        looked_up.append(query.order_by(likeness.desc()).limit(MOST_ALIKE).subquery())
    found: list[list[Any]] = [[] for _ in words]
    for row in db.session.execute(union_all(*(select(one) for one in looked_up))):
        found[row.number].append(row)
    return found


def _likeness(known: Sequence[Any]) -> ColumnElement[Any]:
    """How much the word of a product that is most like the one looked for is like it."""
    whens = [
        (_VECTOR.op("@@", is_comparison=True)(func.to_tsquery("simple", _quoted(row.word))), row[1])
        for row in sorted(known, key=lambda row: -row[1])
    ]
    return case(*whens, else_=0.0)


def met(match: Match, conditions: Sequence[Condition], *columns: Any) -> CTE:
    """Ids and these columns of what is found, whatever is done with it.

    PostgreSQL would else look for the first few along another index, or along the table: right for
    words that are everywhere, and a walk through the whole catalogue for those that it only
    believes to be. Rows are still found one by one, as they are asked for.
    """
    found = select(Product.id, *columns).where(*conditions, *match.conditions)
    return found.cte().prefix_with("MATERIALIZED", dialect="postgresql")


def best(match: Match, conditions: Sequence[Condition], limit: int, offset: int) -> Subquery:
    """Finds by how well they fit: `id`, `place`, and in `total` how many there are.

    On PostgreSQL at most MOST_RANKED + 1 are looked at; of more than MOST_RANKED, use `names_first`.
    """
    found = met(match, conditions, match.fitness.label("fitness"))
    some = select(found.c.id, found.c.fitness)
    ranked = (some.limit(MOST_RANKED + 1) if has_limits() else some).cte("ranked")
    place = func.row_number().over(order_by=[ranked.c.fitness.desc(), ranked.c.id]).label("place")
    total = select(func.count()).select_from(ranked).scalar_subquery().label("total")
    query = select(ranked.c.id, place, total).order_by(place)
    return query.limit(limit).offset(offset).subquery()


def names_first(match: Match, conditions: Sequence[Condition], limit: int, offset: int) -> Subquery:
    """Finds as `id` and `place`: those with all words in their names, then others, each by id; of
    both as many as pages reach."""
    in_name = Match((false() if match.in_name is None else match.in_name,), literal(0))
    both = union_all(
        *(
            select(some.c.id, literal(place).label("place")).limit(MAX_DEPTH)
            for place, some in enumerate((met(in_name, conditions), met(match, conditions)))
        )
    ).subquery()
    place = func.min(both.c.place).label("place")
    query = select(both.c.id, place).group_by(both.c.id).order_by(place, both.c.id)
    return query.limit(limit).offset(offset).subquery()


def names_alone(match: Match, conditions: Sequence[Condition], limit: int, offset: int) -> Subquery:
    """As `names_first`, where so many names have the word that pages show no others."""
    query = select(Product.id).order_by(Product.id)
    found = query.where(*conditions, false() if match.in_name is None else match.in_name)
    return found.limit(limit).offset(offset).subquery()


def is_everywhere(words: Sequence[str], in_names: bool = False) -> bool:
    """Whether so many products have this one word that nobody need count them.

    PostgreSQL keeps count of common words and knows within a few in a hundred. It does not know
    which words come together, so of several nothing is said.
    """
    if len(words) != 1 or not _is_postgresql():
        return False
    query = text(
        "EXPLAIN (FORMAT JSON) SELECT FROM products WHERE deleted_at IS NULL AND is_active"
        f" AND {_NAME if in_names else _VECTOR} @@ to_tsquery('simple', :query)"
    )
    (plan,) = db.session.scalar(query, {"query": _tsquery(words)}) or [{}]
    found: float = plan["Plan"]["Plan Rows"]
    return found > CERTAINLY_MANY


def any_product(match: Match, visible: tuple[Condition, ...]) -> bool:
    """Whether the words alone find anything that the caller may see."""
    return db.session.scalar(select(met(match, visible).c.id).limit(1)) is not None


def has_limits() -> bool:
    """Whether only so many finds are ranked."""
    return _is_postgresql()


def _is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"


def _on_postgresql(words: list[str]) -> Match:
    query = func.to_tsquery("simple", _tsquery(words))
    weights: ColumnElement[Any] = literal_column(f"'{{0, {BODY_RANK}, 0, {TITLE_RANK}}}'::real[]")
    has, has_in_name = (text.op("@@", is_comparison=True)(query) for text in (_VECTOR, _NAME))
    return Match((has,), func.ts_rank(weights, _VECTOR, query), has_in_name)


def _tsquery(words: Sequence[str]) -> str:
    return " & ".join(map(_quoted, words)) + ":*"


def _quoted(word: str) -> str:
    return f"'{word}'"


def _on_sqlite(words: list[str]) -> Match:
    quoted = " ".join(f'"{word}"' for word in words) + "*"
    index: ColumnElement[Any] = literal_column("products_fts")
    found = index.op("MATCH", is_comparison=True)(quoted)
    # bm25 is the smaller the better (https://www.sqlite.org/fts5.html#the_bm25_function).
    return Match((_FTS.c.rowid == Product.id, found), -func.bm25(index, TITLE_WEIGHT, BODY_WEIGHT))

"""The statements of lists of products: each is put together once, and asked with other values.

What makes another statement is a list's shape: the choices that are made, the order, and the way
that leads to the products. Putting one together costs more than all else that a worker does for it.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from app.db.paging import LIMIT, MAX_DEPTH, OFFSET, SortKey, counting, keys
from app.models import Category, Product
from app.services.catalogue import product_search, product_views, variant_options
from app.services.catalogue.product_search import Match

_COLUMNS = {"name": Product.name_key, "price": Product.price, "created_at": Product.created_at}
SORT_KEYS = {
    sign + name: SortKey(sign + name, column, Product.id, descending=sign == "-")
    for name, column in _COLUMNS.items()
    for sign in ("", "-")
}
NOTHING, MANY = literal(0), literal(MAX_DEPTH + 1)
MOST_KEPT = 256

_UNDELETED = Product.deleted_at.is_(None)
# Word for word as in the partial indexes: SQLite would not use them for "is_active = 1".
_ACTIVE: ColumnElement[bool] = literal_column("products.is_active")
VISIBLE = {True: (_UNDELETED,), False: (_UNDELETED, _ACTIVE)}
"""What staff see, and everybody: undeleted products, inactive ones only for staff."""

Condition = ColumnElement[bool]
Choices = tuple[tuple[str, Any], ...]
"""The choices that are made, by name, each with what of it makes another statement."""


class Shape(NamedTuple):
    """What a list has in common with all that are asked by the same statement."""

    database: str
    staff: bool
    choices: Choices
    way: str
    order: str
    match: Match | None = None
    branches: int = 0


class Listing(NamedTuple):
    """A part of a list, with how many there are in its last column; and that number alone, for where
    the part is empty."""

    shown: Select[Any]
    total: Select[Any]


def listing(shape: Shape) -> Listing:
    """The statements for a list: kept, unless its words are no values but stand in the statement."""
    is_kept = shape.match is None or shape.match.is_kept
    return _kept(shape) if is_kept else _made(shape)


def conditions(choices: Choices) -> list[Condition]:
    """What the choices ask of a product; the parameters are named as in `product_queries`."""
    return [_CONDITIONS[name](detail) for name, detail in choices]


def _made(shape: Shape) -> Listing:
    return _WAYS[shape.way](shape)


_kept = lru_cache(maxsize=MOST_KEPT)(_made)


def _sellable(wanted: bool) -> Condition:
    found = exists().where(*variant_options.offered(in_stock=True))
    return found if wanted else ~found


def _of_options(detail: tuple[int, bool]) -> Condition:
    number, in_stock = detail
    fitting = [fits for _name, fits in variant_options.chosen(number)]
    return exists().where(*variant_options.offered(in_stock), *fitting)


_CONDITIONS: Mapping[str, Callable[[Any], Condition]] = {
    "category": lambda _: Product.category_id.in_(bindparam("within", expanding=True)),
    "min_price": lambda _: Product.price >= bindparam("min_price"),
    "max_price": lambda _: Product.price <= bindparam("max_price"),
    "is_active": lambda wanted: Product.is_active.is_(wanted),
    "in_stock": _sellable,
    "options": _of_options,
    "reduced": lambda _: Product.compare_at_price > Product.price,
}


def _asked(shape: Shape) -> list[Condition]:
    return [*VISIBLE[shape.staff], *conditions(shape.choices)]


def _products(shape: Shape) -> Select[Any]:
    words = shape.match.has_somewhere if shape.match else ()
    return select(Product).where(*_asked(shape), *words)


def _in_order(shape: Shape) -> Listing:
    """Along an index that has the order."""
    query, order = _products(shape), SORT_KEYS[shape.order].order_by()
    return _listing(keys(query, order, LIMIT, OFFSET), order, _total(shape, query))


def _everywhere(shape: Shape) -> Listing:
    """The same for a word that is everywhere."""
    order = SORT_KEYS[shape.order].order_by()
    return _listing(keys(_products(shape), order, LIMIT, OFFSET), order, MANY)


def _merged(shape: Shape) -> Listing:
    """Of several categories: each is in order by an index, and the first of all are among the first
    of each.

    Along the order of all products, those of a dear category come last.
    """
    key, query = SORT_KEYS[shape.order], _products(shape)
    columns = query.with_only_columns(Product.id, key.column.label("key"))
    each = [
        columns.where(Product.category_id == bindparam(f"branch_{n}"))
        .order_by(*key.order_by()).limit(LIMIT + OFFSET).subquery()
        for n in range(shape.branches)
    ]  # fmt: skip
    all_ = union_all(*(select(one.c.id, one.c.key) for one in each)).subquery()
    by_key = [all_.c.key.desc() if key.descending else all_.c.key.asc(), all_.c.id]
    found = select(all_.c.id).order_by(*by_key).limit(LIMIT).offset(OFFSET).subquery()
    return _listing(found, key.order_by(), _total(shape, query))


def _slice(shape: Shape) -> Listing:
    """From the start of an order, or after a row; nobody counts."""
    key, query = SORT_KEYS[shape.order], _products(shape)
    if shape.way == "after":
        after = bindparam("after", type_=key.column.type), bindparam("after_id", type_=key.id.type)
        query = query.where(key.after(*after))
    return _listing(keys(query, key.order_by(), LIMIT), key.order_by(), NOTHING)


def _met_and_sorted(shape: Shape) -> Listing:
    """Found by words, and sorted then.

    Things that are called alike cost alike, and stand together by name: to walk along the order
    until some are met may take the whole catalogue.
    """
    key = SORT_KEYS[shape.order]
    met = product_search.met(_match(shape), _asked(shape), key.column.label("key"))
    by_key: list[Any] = [met.c.key.desc() if key.descending else met.c.key, met.c.id]
    found = select(met.c.id).order_by(*by_key).limit(LIMIT).offset(OFFSET).subquery()
    return _listing(found, key.order_by(), _counted(met))


def _best(shape: Shape) -> Listing:
    found, all_ = product_search.best(_match(shape), _asked(shape))
    return _listing(found, [found.c.fitness.desc(), found.c.id], _counted(all_))


def _names_first(shape: Shape) -> Listing:
    found = product_search.names_first(_match(shape), _asked(shape))
    return _listing(found, [found.c.place, found.c.id], MANY)


def _names_alone(shape: Shape) -> Listing:
    found = product_search.names_alone(_match(shape), _asked(shape))
    return _listing(found, [found.c.id], MANY)


def _any(shape: Shape) -> Listing:
    """Whether there is one at all."""
    met = product_search.met(_match(shape), _asked(shape))
    one = select(met.c.id).limit(1)
    return Listing(one, one)


_WAYS: Mapping[str, Callable[[Shape], Listing]] = {
    "in order": _in_order, "everywhere": _everywhere, "merged": _merged, "from the start": _slice,
    "after": _slice, "sorted": _met_and_sorted, "best": _best, "names first": _names_first,
    "names alone": _names_alone, "any": _any,
}  # fmt: skip


def _listing(found: Subquery, order: list[Any], total: ColumnElement[int]) -> Listing:
    return Listing(product_views.listing(found, order, total), select(total))


def _total(shape: Shape, query: Select[Any]) -> ColumnElement[int]:
    """How many there are. Categories know how many products they offer, and where those are many
    already, nobody counts."""
    counted = counting(query).scalar_subquery()
    chosen = {name for name, _detail in shape.choices}
    if not chosen <= {"category"}:
        return counted
    offered = select(func.sum(Category.offered))
    if chosen:
        offered = offered.where(Category.id.in_(bindparam("within", expanding=True)))
    return case((offered.scalar_subquery() > MAX_DEPTH, MANY), else_=counted)


def _match(shape: Shape) -> Match:
    if shape.match is None:
        raise TypeError(f"Nothing is looked for, so there is no way {shape.way!r}.")
    return shape.match


def _counted(met: CTE) -> ColumnElement[int]:
    some = select(literal(1)).select_from(met).limit(MAX_DEPTH + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()

"""The SQL statements of product lists, cached by their shape.

To build the statements of a page takes SQLAlchemy 2.3 ms of CPU, next to 5.0 ms for the rest of a
request that no cache answers. The functions here therefore bind all values and depend only on what
changes the text of a statement: the database, who asks, the filters in use, the order (`Scope` and the
other arguments). Each builds its statements once for the same arguments (`cached_statement`).

It would be simpler to build one statement with every filter in it, as in `:min_price IS NULL OR
price >= :min_price`. PostgreSQL cannot use the index of a filter then.
"""

from collections.abc import Callable, Hashable
from functools import lru_cache, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    Select,
    Subquery,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    select,
    union_all,
)

from app.db.paging import LIMIT, MAX_DEPTH, OFFSET, Order, SortKey, count_query, page_ids
from app.models import Category, Product
from app.services.catalogue import product_search, product_views
from app.services.catalogue.product_filters import Condition, SqlFilters, conditions
from app.services.catalogue.product_search import BY_ID, Match

P = ParamSpec("P")
T = TypeVar("T")
SORT_COLUMNS = {"name": Product.name_key, "price": Product.price, "created_at": Product.created_at}
SORT_KEYS = {
    sign + name: SortKey(sign + name, column, Product.id, descending=sign == "-")
    for name, column in SORT_COLUMNS.items()
    for sign in ("", "-")
}
NO_TOTAL, MANY = literal(0), literal(MAX_DEPTH + 1)
MAX_STATEMENTS = 512

_UNDELETED = Product.deleted_at.is_(None)
# Written as in the partial indexes: SQLite does not use them for "is_active = 1".
_ACTIVE: ColumnElement[bool] = literal_column("products.is_active")
VISIBLE = {True: (_UNDELETED,), False: (_UNDELETED, _ACTIVE)}
"""The conditions of the products that staff (True) and everybody else (False) may see."""


class Scope(NamedTuple):
    """The products that a list is about, as far as they change the text of its statements."""

    database: str
    is_staff: bool
    forms: SqlFilters

    def conditions(self) -> list[Condition]:
        """The conditions on `products`; values are bound as in `ProductQuery.parameters`."""
        return [*VISIBLE[self.is_staff], *conditions(self.forms)]


class ListStatements(NamedTuple):
    """A part of a list, with the total in its last column; and the total alone, for where the part
    is empty."""

    rows: Executable
    total: Select[tuple[int]]


def cached_statement(build: Callable[P, T]) -> Callable[P, T]:
    """Build the statement of the same positional arguments once; these must be hashable."""

    @wraps(build)
    def cached(*args: P.args, **kwargs: P.kwargs) -> T:
        if kwargs or any(isinstance(arg, Match) and not arg.is_constant for arg in args):
            return build(*args, **kwargs)
        statement: T = _built(build, *args)
        return statement

    return cached


@lru_cache(maxsize=MAX_STATEMENTS)
def _built(build: Callable[..., Any], *args: Hashable) -> Any:
    return build(*args)


@cached_statement
def in_order(scope: Scope, sort: str) -> ListStatements:
    """Without words: the rows come in the order of an index."""
    query, order = _products(scope), SORT_KEYS[sort].order_by()
    return _list(page_ids(query, order, LIMIT, OFFSET), order, _total(scope, query))


@cached_statement
def in_order_by_category(scope: Scope, sort: str, count: int) -> ListStatements:
    """As `in_order`, for `count` categories: merges the first rows of each, which an index gives.

    Along the index of all products, the rows of an expensive category come last. The ids of the
    categories are bound as `branch_0`, `branch_1` and so on.
    """
    key, query = SORT_KEYS[sort], _products(scope)
    columns = query.with_only_columns(Product.id, key.column.label("key"))
    each = [
        columns.where(Product.category_id == bindparam(f"branch_{n}"))
        .order_by(*key.order_by()).limit(LIMIT + OFFSET).subquery()
        for n in range(count)
    ]  # fmt: skip
    rows = union_all(*(select(one.c.id, one.c.key) for one in each)).subquery()
    ids = select(rows.c.id).order_by(*_by_key(rows, key)).limit(LIMIT).offset(OFFSET).subquery()
    return _list(ids, key.order_by(), _total(scope, query))


@cached_statement
def after_cursor(scope: Scope, sort: str, match: Match | None, is_first: bool) -> ListStatements:
    """The rows after a cursor, or the first ones of the order; without a total."""
    key, query = SORT_KEYS[sort], _products(scope, match)
    if not is_first:
        after = bindparam("after", type_=key.column.type), bindparam("after_id", type_=key.id.type)
        query = query.where(key.after(*after))
    return _list(page_ids(query, key.order_by(), LIMIT), key.order_by(), NO_TOTAL)


@cached_statement
def matches_in_order(scope: Scope, sort: str, match: Match) -> ListStatements:
    """Finds the matches first and sorts them then.

    To walk along the index of the order until there are enough matches can read the whole
    catalogue: products of one name have much the same price, and stand together in both orders.
    """
    key = SORT_KEYS[sort]
    matches = product_search.matches(match, scope.conditions(), key.column.label("key"))
    ids = select(matches.c.id).order_by(*_by_key(matches, key)).limit(LIMIT).offset(OFFSET)
    return _list(ids.subquery(), key.order_by(), _count(matches))


@cached_statement
def best_matches(scope: Scope, match: Match) -> ListStatements:
    """The matches by how well they fit."""
    part, matches = product_search.ranked(match, scope.conditions())
    return _list(part, [part.c.fitness.desc(), part.c.id], _count(matches))


@cached_statement
def matches_by_name(scope: Scope, match: Match) -> ListStatements:
    """Of more matches than pages reach: first those by name, then the others, each by id."""
    part = product_search.by_name(match, scope.conditions())
    return _list(part, [part.c.place, part.c.id], MANY)


@cached_statement
def common_matches_in_order(scope: Scope, sort: str, match: Match) -> ListStatements:
    """As `matches_in_order`, for a common term; a page that the walk does not fill is incomplete."""
    key = SORT_KEYS[sort]
    ids = product_search.walk(scope.conditions(), match.scan_conditions, key)
    return _list(ids.limit(LIMIT).offset(OFFSET).subquery(), key.order_by(), MANY)


@cached_statement
def common_matches_by_name(scope: Scope, match: Match, are_names: bool) -> ListStatements:
    """As `matches_by_name`, for a common term; a page that the walk does not fill is incomplete.
    If so many names have the term (`are_names`) that pages show no others, only names are read."""
    if are_names:
        ids = product_search.walk(scope.conditions(), (match.scan_in_name,), BY_ID)
        return _list(ids.limit(LIMIT).offset(OFFSET).subquery(), BY_ID.order_by(), MANY)
    part = product_search.by_name(match, scope.conditions(), is_common=True)
    return _list(part, [part.c.place, part.c.id], MANY)


@cached_statement
def count_of_common(scope: Scope, match: Match) -> Executable:
    """How many matches there are, up to one more than MIN_COMMON."""
    matches = product_search.matches(match, scope.conditions(), limit=product_search.MIN_COMMON + 1)
    return select(func.count()).select_from(matches)


@cached_statement
def any_match(scope: Scope, match: Match) -> Select[tuple[int]]:
    """One match, if there is any."""
    return select(product_search.matches(match, scope.conditions()).c.id).limit(1)


def _products(scope: Scope, match: Match | None = None) -> Select[Product]:
    words = match.scan_conditions if match else ()
    return select(Product).where(*scope.conditions(), *words)


def _list(part: Subquery, order: Order, total: ColumnElement[int]) -> ListStatements:
    return ListStatements(product_views.list_statement(part, order, total), select(total))


def _by_key(rows: Subquery | CTE, key: SortKey) -> Order:
    return [rows.c.key.desc() if key.descending else rows.c.key.asc(), rows.c.id]


def _total(scope: Scope, query: Select[Product]) -> ColumnElement[int]:
    """The number of products, up to MAX_DEPTH + 1. Categories know how many products they offer:
    where these are more than MAX_DEPTH, the products need not be counted."""
    count = count_query(query).scalar_subquery()
    names = {name for name, _form in scope.forms}
    if not names <= {"category"}:
        return count
    offered = select(func.sum(Category.offered))
    if names:
        offered = offered.where(Category.id.in_(bindparam("category", expanding=True)))
    return case((offered.scalar_subquery() > MAX_DEPTH, MANY), else_=count)


def _count(matches: CTE) -> ColumnElement[int]:
    rows = select(literal(1)).select_from(matches).limit(MAX_DEPTH + 1).subquery()
    return select(func.count()).select_from(rows).scalar_subquery()

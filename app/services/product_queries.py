"""Reading the catalogue: one product, or lists of them by filter, search and order."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    Subquery,
    bindparam,
    exists,
    false,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import joinedload

from app.domain.actor import ANONYMOUS, Actor
from app.domain.address import id_or_slug
from app.domain.text import words
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Product
from app.services import category_service, product_search, product_views, variant_options
from app.services.paging import (
    MAX_DEPTH,
    Page,
    Slice,
    SortKey,
    counting,
    cut,
    keys,
    refuse_too_deep,
    slice_keys,
)
from app.services.product_search import Match
from app.services.product_views import ProductView
from app.services.slugs import at_address

_COLUMNS = {"name": Product.name_key, "price": Product.price, "created_at": Product.created_at}
SORT_KEYS = {
    sign + name: SortKey(sign + name, column, Product.id, descending=sign == "-")
    for name, column in _COLUMNS.items()
    for sign in ("", "-")
}
SORTS = (*SORT_KEYS, "relevance")
DEFAULT_SORT = "-created_at"
_NOTHING, MANY = literal(0), literal(MAX_DEPTH + 1)

MOST_BRANCHES = 20
"""Of more categories at once, products are looked for along the order of all."""

Found = Page[ProductView] | Slice[ProductView]
Conditions = Sequence[ColumnElement[bool]]
Words = Sequence[str]
Rows = tuple[list[ProductView], int]
Part = tuple[int, int]
"""How many rows, and after how many."""


@dataclass(frozen=True)
class Wanted:
    """What a list of products is asked for; prices in minor units, `category` an id or a slug."""

    q: str = ""
    category: str = ""
    min_price: int | None = None
    max_price: int | None = None
    in_stock: bool | None = None
    is_active: bool | None = None
    sort: str | None = None
    page: int | None = None
    cursor: str | None = None
    per_page: int = 20
    # Pairs of an option's name and a value; of one name any value will do.
    options: tuple[tuple[str, str], ...] = ()
    reduced: bool = False

    @property
    def order(self) -> str:
        """The order that is meant: with words to look for, the best first."""
        return self.sort or ("relevance" if self.q else DEFAULT_SORT)


_UNDELETED = Product.deleted_at.is_(None)
# Word for word as in the partial indexes: SQLite would not use them for "is_active = 1".
_ACTIVE: ColumnElement[bool] = literal_column("products.is_active")
_VISIBLE = {True: (_UNDELETED,), False: (_UNDELETED, _ACTIVE)}
_ONE_BY: dict[tuple[bool, type], Select[Any]] = {
    (is_admin, kind): product_views.whole(*visible, column == bindparam("address"))
    for is_admin, visible in _VISIBLE.items()
    for kind, column in ((int, Product.id), (str, Product.slug))
}


def get_product(actor: Actor, address: str) -> Product:
    """A product by id or slug, with category and variants, to be changed; one statement.

    Raises:
        NotFound: there is none that this caller may see.
    """
    query = (
        select(Product)
        .where(*visible_to(actor), at_address(Product, address))
        .options(joinedload(Product.category), joinedload(Product.variants))
    )
    product: Product | None = db.session.scalars(query).unique().one_or_none()
    if product is None:
        raise NotFound("product")
    return product


def view_product(actor: Actor, address: str) -> ProductView:
    """A product by id or slug, to be shown; one statement.

    Raises:
        NotFound: there is none that this caller may see.
    """
    parsed = id_or_slug(address)
    query = _ONE_BY.get((actor.is_admin, type(parsed)))  # none for what is no address
    found = None if query is None else product_views.one(query, address=parsed)
    if found is None:
        raise NotFound("product")
    return found


def visible_to(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Undeleted products; inactive ones only for staff."""
    return _VISIBLE[actor.is_admin]


def list_products(actor: Actor, wanted: Wanted) -> Found:
    """Products as filtered, searched and sorted: a slice where a cursor is given, else a page.

    Raises:
        Invalid: an order or cursor that cannot be, or a page that lies too deep.
    """
    refuse_impossible_order(wanted)
    visible = visible_to(actor)
    within = category_service.ids_below(wanted.category) if wanted.category else set()
    narrowed = filters(wanted, within)
    conditions = (*visible, *narrowed.values())
    if not wanted.q:
        return _fetch(wanted, conditions, within=within)
    looked_for = words(wanted.q)
    if not looked_for:
        return _fetch(wanted, (*conditions, false()))
    match = product_search.by_words(looked_for)
    found = _fetch(wanted, conditions, match, () if narrowed else looked_for)
    if found.items or product_search.any_product(match, visible):
        return found
    similar = product_search.by_similar_words(looked_for)
    return _fetch(wanted, conditions, similar) if similar else found


def newest_slugs(limit: int) -> list[tuple[str, datetime]]:
    """Slugs of what is on offer and when it was last changed, the newest first."""
    query = select(Product.slug, Product.updated_at).where(*visible_to(ANONYMOUS))
    newest = query.order_by(Product.created_at.desc(), Product.id).limit(limit)
    return [(row.slug, row.updated_at) for row in db.session.execute(newest)]


def refuse_impossible_order(wanted: Wanted) -> None:
    """Relevance needs words to be relevant to, and gives no order that a cursor could follow.

    Raises:
        Invalid: on `sort` or `cursor`.
    """
    if wanted.order != "relevance":
        return
    if not wanted.q:
        raise Invalid({"sort": ["relevance needs q."]})
    if wanted.cursor is not None:
        raise Invalid({"cursor": ["Results by relevance have pages only: name another sort."]})


def _fetch(
    wanted: Wanted,
    conditions: Conditions,
    match: Match | None = None,
    all_words: Words = (),
    within: Collection[int] = (),
) -> Found:
    """The products wanted; `all_words` are given where nothing but the words narrows the list,
    `within` the categories where there are no words."""
    key = SORT_KEYS.get(wanted.order)
    query = select(Product).where(*conditions, *(match.conditions if match else ()))
    if wanted.cursor is not None and key is not None:
        found = slice_keys(query, key, wanted.cursor, wanted.per_page)
        return cut(product_views.some(found, key.order_by(), _NOTHING)[0], key, wanted.per_page)
    page = wanted.page or 1
    refuse_too_deep(page, wanted.per_page)
    part = (wanted.per_page, (page - 1) * wanted.per_page)
    if match is None:
        rows, total = _sorted(query, key or SORT_KEYS[DEFAULT_SORT], part, within=within)
    elif key is None:
        rows, total = _best(match, conditions, all_words, part)
    elif key.column is Product.created_at and product_search.is_everywhere(all_words):
        rows, total = _sorted(query, key, part, MANY)
    else:
        rows, total = _met_and_sorted(match, conditions, key, part)
    return Page(rows, page, wanted.per_page, total, total_is_estimate=total > MAX_DEPTH)


def _sorted(
    query: Select[Any],
    key: SortKey,
    part: Part,
    known: ColumnElement[int] | None = None,
    within: Collection[int] = (),
) -> Rows:
    order = key.order_by()
    total = counting(query).scalar_subquery() if known is None else known
    several = 1 < len(within) <= MOST_BRANCHES and key.column is not Product.name_key
    found = _merged(query, key, part, sorted(within)) if several else keys(query, order, *part)
    return _with_total(product_views.some(found, order, total), total, part)


def _merged(query: Select[Any], key: SortKey, part: Part, categories: Sequence[int]) -> Subquery:
    """The ids of a part of several categories' products: each is in order by an index, and the first
    of all are among the first of each.

    Along the order of all products, those of a dear category come last.
    """
    limit, offset = part
    columns = query.with_only_columns(Product.id, key.column.label("key"))
    each = [
        columns.where(Product.category_id == category).order_by(*key.order_by())
        .limit(limit + offset).subquery()
        for category in categories
    ]  # fmt: skip
    all_ = union_all(*(select(one.c.id, one.c.key) for one in each)).subquery()
    by_key = [all_.c.key.desc() if key.descending else all_.c.key.asc(), all_.c.id]
    return select(all_.c.id).order_by(*by_key).limit(limit).offset(offset).subquery()


def _met_and_sorted(match: Match, conditions: Conditions, key: SortKey, part: Part) -> Rows:
    # Things that are called alike cost alike, and stand together by name: to walk along the order
    # until some are met may take the whole catalogue. So they are found first, and sorted then.
    met = product_search.met(match, conditions, key.column.label("key"))
    limit, offset = part
    by_key: list[Any] = [met.c.key.desc() if key.descending else met.c.key, met.c.id]
    found = select(met.c.id).order_by(*by_key).limit(limit).offset(offset).subquery()
    total = _counted(met)
    return _with_total(product_views.some(found, key.order_by(), total), total, part)


def _best(match: Match, conditions: Conditions, all_words: Words, part: Part) -> Rows:
    if product_search.is_everywhere(all_words, in_names=True):
        found = product_search.names_alone(match, conditions, *part)
        return _with_total(product_views.some(found, [found.c.id], MANY), MANY, part)
    found = product_search.best(match, conditions, *part)
    total: ColumnElement[int] = _counted(product_search.met(match, conditions))
    shown = product_views.some(found, [found.c.place], found.c.total)
    rows, number = _with_total(shown, total, part)
    if number <= product_search.MOST_RANKED or not product_search.has_limits():
        return rows, number
    found = product_search.names_first(match, conditions, *part)
    order = [found.c.place, found.c.id]
    return _with_total(product_views.some(found, order, MANY), MANY, part)


def _counted(met: CTE) -> ColumnElement[int]:
    some = select(literal(1)).select_from(met).limit(MAX_DEPTH + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def _with_total(
    shown: tuple[list[ProductView], int | None], total: ColumnElement[int], part: Part
) -> Rows:
    """What is shown and how many there are in all: past the end, that has to be asked for."""
    rows, number = shown
    if number is None:
        number = db.session.scalar(select(total)) if part[1] else 0
    return rows, number or 0


def filters(
    wanted: Wanted, within: Collection[int] | None = None
) -> dict[str, ColumnElement[bool]]:
    """What each part of the wish asks of a product, beside the words; `within` are the ids of its
    category and those below, where they are known."""
    conditions: dict[str, ColumnElement[bool]] = {}
    if wanted.category:
        within = category_service.ids_below(wanted.category) if within is None else within
        conditions["category"] = Product.category_id.in_(within)
    if wanted.min_price is not None:
        conditions["min_price"] = Product.price >= wanted.min_price
    if wanted.max_price is not None:
        conditions["max_price"] = Product.price <= wanted.max_price
    if wanted.is_active is not None:
        conditions["is_active"] = Product.is_active.is_(wanted.is_active)
    # With options, those have to be in stock: asked below, and no need to ask it twice.
    if wanted.in_stock is False or (wanted.in_stock and not wanted.options):
        sellable = exists().where(*variant_options.offered(in_stock=True))
        conditions["in_stock"] = sellable if wanted.in_stock else ~sellable
    if wanted.options:
        chosen = variant_options.chosen(wanted.options)
        offered = variant_options.offered(in_stock=bool(wanted.in_stock))
        conditions["options"] = exists().where(*offered, *chosen.values())
    if wanted.reduced:
        conditions["reduced"] = Product.compare_at_price > Product.price
    return conditions

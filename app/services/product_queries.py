"""Reading the catalogue: one product, or lists of them by filter, search and order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, false, literal_column, select
from sqlalchemy.orm import joinedload, selectinload

from app.domain.actor import ANONYMOUS, Actor
from app.domain.text import words
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Product
from app.services import category_service, product_search, variant_options
from app.services.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.services.product_search import Match
from app.services.slugs import at_address

_COLUMNS = {"name": Product.name_key, "price": Product.price, "created_at": Product.created_at}
SORT_KEYS = {
    sign + name: SortKey(sign + name, column, Product.id, descending=sign == "-")
    for name, column in _COLUMNS.items()
    for sign in ("", "-")
}
SORTS = (*SORT_KEYS, "relevance")
DEFAULT_SORT = "-created_at"


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


def get_product(actor: Actor, address: str) -> Product:
    """A product by id or slug, with category and variants, read in one statement.

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


def visible_to(actor: Actor) -> tuple[ColumnElement[bool], ...]:
    """Undeleted products; inactive ones only for staff."""
    conditions: list[ColumnElement[bool]] = [Product.deleted_at.is_(None)]
    if not actor.is_admin:
        # Word for word as in the partial indexes: SQLite would not use them for "is_active = 1".
        conditions.append(literal_column("products.is_active"))
    return tuple(conditions)


def list_products(actor: Actor, wanted: Wanted) -> Page[Product] | Slice[Product]:
    """Products as filtered, searched and sorted: a slice where a cursor is given, else a page.

    Raises:
        Invalid: an order or cursor that cannot be, or a page that lies too deep.
    """
    refuse_impossible_order(wanted)
    conditions = (*visible_to(actor), *filters(wanted).values())
    if not wanted.q:
        return _fetch(wanted, conditions, None)
    looked_for = words(wanted.q)
    if not looked_for:
        return _fetch(wanted, (*conditions, false()), None)
    match = product_search.by_words(looked_for)
    found = _fetch(wanted, conditions, match)
    if found.items or product_search.any_product(match, visible_to(actor)):
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
    wanted: Wanted, conditions: tuple[ColumnElement[bool], ...], match: Match | None
) -> Page[Product] | Slice[Product]:
    query = _with_parts(select(Product).where(*conditions))
    if match is not None:
        query = query.where(*match.conditions)
    key = SORT_KEYS.get(wanted.order)
    if wanted.cursor is not None and key is not None:
        return fetch_slice(query, key, wanted.cursor, wanted.per_page)
    if key is not None:
        query = query.order_by(*key.order_by())
    elif match is not None:
        query = query.order_by(match.fitness.desc(), Product.id)
    return fetch_page(query, wanted.page or 1, wanted.per_page)


def _with_parts(query: Select[Any]) -> Select[Any]:
    return query.options(joinedload(Product.category), selectinload(Product.variants))


def filters(wanted: Wanted) -> dict[str, ColumnElement[bool]]:
    """What each part of the wish asks of a product, beside the words."""
    conditions: dict[str, ColumnElement[bool]] = {}
    if wanted.category:
        within = category_service.ids_below(wanted.category)
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

"""Reading the catalogue: one product, or lists of them by words, filters and order."""

import time
from collections.abc import Collection, Mapping
from functools import lru_cache

from sqlalchemy import Engine, Executable, bindparam, select
from sqlalchemy.orm import joinedload

from app.db.paging import MAX_DEPTH, Page, Slice, decode_cursor, refuse_too_deep, slice_of
from app.db.prepared import run
from app.domain.catalogue.search_terms import Term, search_terms
from app.domain.people.actor import Actor
from app.domain.text import id_or_slug
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import Product
from app.models.paths import at_address
from app.services.catalogue import (
    category_service,
    product_search,
    product_statements,
    product_views,
    sku_holders,
)
from app.services.catalogue.product_filters import ProductQuery
from app.services.catalogue.product_search import Match, Search
from app.services.catalogue.product_statements import SORT_KEYS, VISIBLE, ListStatements, Scope
from app.services.catalogue.product_views import ProductView

SORTS = (*SORT_KEYS, "relevance")
WALKED_ORDERS = ("relevance", "created_at", "-created_at")
"""Not by price or name: products of one name have much the same price, and may all come last."""
COUNT_SECONDS = 10
"""How long the count of a common term is used again. In that time nothing but an import, which renews
the planner's statistics, takes a term from the 2,500 products between MIN_COMMON and MAX_DEPTH."""
MAX_BRANCHES = 20
"""Of more categories at once, the products are read along the order of all."""

ProductList = Page[ProductView] | Slice[ProductView]
Parameters = Mapping[str, object]

_PRODUCT_BY: dict[tuple[bool, type], Executable] = {
    (is_staff, kind): product_views.product_statement(*visible, column == bindparam("address"))
    for is_staff, visible in VISIBLE.items()
    for kind, column in ((int, Product.id), (str, Product.slug))
}


def get_product(actor: Actor, address: str) -> Product:
    """A product by id or slug, with category and variants, to be changed; one statement.

    Raises:
        NotFound: there is none that this caller may see.
    """
    query = (
        select(Product)
        .where(*VISIBLE[actor.is_admin], at_address(Product, address))
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
    query = _PRODUCT_BY.get((actor.is_admin, type(parsed)))  # None if `address` is neither
    product = None if query is None else product_views.fetch_product(query, address=parsed)
    if product is None:
        raise NotFound("product")
    return product


def list_products(actor: Actor, query: ProductQuery) -> ProductList:
    """The products of a query: a slice if it has a cursor, else a page.

    Raises:
        Invalid: an order or cursor that is impossible, or a page that lies too deep.
    """
    refuse_impossible_order(query)
    if query.cursor is None:
        refuse_too_deep(query.page or 1, query.per_page)
    category_ids = category_service.ids_below(query.category) if query.category else set()
    scope = scope_of(query, actor)
    parameters = query.parameters(category_ids)
    if not query.q:
        return _list_all(query, scope, parameters, category_ids)
    terms = search_terms(query.q)
    return _search(query, scope, parameters, terms) if terms else _empty_list(query)


def refuse_impossible_order(query: ProductQuery) -> None:
    """Relevance needs words to be relevant to, and gives no order that a cursor could follow.

    Raises:
        Invalid: on `sort` or `cursor`.
    """
    if query.order != "relevance":
        return
    if not query.q:
        raise Invalid({"sort": ["Sorting by relevance needs q."]})
    if query.cursor is not None:
        raise Invalid(
            {
                "cursor": [
                    "Results by relevance have pages only. Choose another sort to use a cursor."
                ]
            }
        )


def scope_of(query: ProductQuery, actor: Actor) -> Scope:
    """The products that a query is about, whatever their words."""
    return Scope(db.engine.dialect.name, actor.is_admin, tuple(query.forms().items()))


def matching_search(actor: Actor, terms: list[Term]) -> Search | None:
    """The search whose products a list of these words shows: the exact one or, if that finds nothing
    that the caller may see, the one for similar words; None if neither finds anything."""
    everything = scope_of(ProductQuery(), actor)
    searches = (
        search(terms) for search in (product_search.exact_search, product_search.similar_search)
    )
    return next((search for search in searches if search and _has_any(everything, search)), None)


def _list_all(
    query: ProductQuery, scope: Scope, parameters: Parameters, category_ids: Collection[int]
) -> ProductList:
    if query.cursor is not None:
        return _fetch_slice(query, scope, parameters)
    count = len(category_ids)
    # By name there is no index of a category.
    if count <= 1 or count > MAX_BRANCHES or query.order.endswith("name"):
        return _fetch_page(query, product_statements.in_order(scope, query.order), parameters)
    branches = {f"branch_{n}": id_ for n, id_ in enumerate(sorted(category_ids))}
    statements = product_statements.in_order_by_category(scope, query.order, count)
    return _fetch_page(query, statements, {**parameters, **branches})


def _search(
    query: ProductQuery, scope: Scope, parameters: Parameters, terms: list[Term]
) -> ProductList:
    """Products with these words; if none has all of them, products with similar words."""
    search = product_search.exact_search(terms)
    if scope.is_staff:
        search = sku_holders.with_inactive_skus(search, query.q)
    exact = _list_matches(query, scope, parameters, search)
    if exact.items or _has_any(scope._replace(forms=()), search):
        return exact
    similar = product_search.similar_search(terms)
    return _list_matches(query, scope, parameters, similar) if similar else exact


def _list_matches(
    query: ProductQuery, scope: Scope, parameters: Parameters, search: Search
) -> ProductList:
    match, bound = search.match, {**parameters, **search.parameters}
    if query.cursor is not None:
        return _fetch_slice(query, scope, bound, match)
    if query.order in WALKED_ORDERS and _exceeds_pages(scope, search):
        page = _fetch_page(query, _common_statements(query, scope, search), bound)
        if len(page.items) == page.per_page:
            return page
    if query.order != "relevance":
        statements = product_statements.matches_in_order(scope, query.order, match)
        return _fetch_page(query, statements, bound)
    page = _fetch_page(query, product_statements.best_matches(scope, match), bound)
    if page.total <= product_search.MAX_RANKED or not product_search.has_limit():
        return page
    return _fetch_page(query, product_statements.matches_by_name(scope, match), bound)


def _exceeds_pages(scope: Scope, search: Search) -> bool:
    """Whether so many products have a common term that pages do not reach all of them.

    The planner's estimate only proposes it: it takes the products with a term and the active ones to
    be independent, and a brand that is inactive as a whole can look many times as common as it is.
    """
    if scope.forms or not product_search.is_common(search):
        return False
    moment = int(time.monotonic() // COUNT_SECONDS)
    return _has_many(db.engine, scope, search.match, tuple(search.parameters.items()), moment)


@lru_cache(maxsize=256)
def _has_many(
    _engine: Engine,
    scope: Scope,
    match: Match,
    parameters: tuple[tuple[str, object], ...],
    _moment: int,
) -> bool:
    count = run(product_statements.count_of_common(scope, match), dict(parameters)).scalar_one()
    return bool(count > product_search.MIN_COMMON)


def _common_statements(query: ProductQuery, scope: Scope, search: Search) -> ListStatements:
    if query.order != "relevance":
        return product_statements.common_matches_in_order(scope, query.order, search.match)
    are_names = product_search.is_common(search, in_names=True)
    return product_statements.common_matches_by_name(scope, search.match, are_names)


def _has_any(scope: Scope, search: Search) -> bool:
    statement = product_statements.any_match(scope, search.match)
    return run(statement, search.parameters).first() is not None


def _empty_list(query: ProductQuery) -> ProductList:
    """The answer to `q` without a single word, such as `!!!`."""
    if query.cursor is None:
        return Page((), query.page or 1, query.per_page, 0)
    if query.cursor:
        decode_cursor(query.cursor, SORT_KEYS[query.order])
    return Slice((), query.per_page, None)


def _fetch_page(
    query: ProductQuery, statements: ListStatements, parameters: Parameters
) -> Page[ProductView]:
    page, size = query.page or 1, query.per_page
    bound = {**parameters, "limit": size, "offset": (page - 1) * size}
    rows, total = product_views.fetch_products(statements.rows, bound)
    if total is None:  # no row carries it
        total = run(statements.total, bound).scalar_one() if page > 1 else 0
    return Page(rows, page, size, total, total_is_estimate=total > MAX_DEPTH)


def _fetch_slice(
    query: ProductQuery, scope: Scope, parameters: Parameters, match: Match | None = None
) -> Slice[ProductView]:
    key, size = SORT_KEYS[query.order], query.per_page
    bound = {**parameters, "limit": size + 1}
    if query.cursor:
        bound["after"], bound["after_id"] = decode_cursor(query.cursor, key)
    is_first = not query.cursor
    statements = product_statements.after_cursor(scope, query.order, match, is_first)
    return slice_of(product_views.fetch_products(statements.rows, bound)[0], key, size)

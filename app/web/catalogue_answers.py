"""The catalogue's answers as JSON bytes: the API sends them, pages read them, one cache for both."""

from collections.abc import Collection
from typing import Any

import orjson

from app.domain.people.actor import Actor
from app.domain.text import id_or_slug
from app.models import Product
from app.schemas.base import store_currency
from app.schemas.categories import show_category
from app.schemas.products import show_product
from app.services.cache import catalogue_cache
from app.services.cache.catalogue_cache import Answer, ProductAnswer
from app.services.catalogue import category_service, product_facets, product_queries
from app.services.catalogue.category_service import CategoryWithCount
from app.services.catalogue.product_facets import Facets
from app.services.catalogue.product_filters import ProductQuery
from app.services.catalogue.product_views import ProductView
from app.web.answers import answer, list_answer

JsonObject = dict[str, Any]
"""A JSON answer that a page has parsed: the schema that describes the answer says what is in it."""

MAX_CHILDREN = 500
"""How many categories below one a page links to. Search engines find the others in the sitemap."""


def product_list(actor: Actor, query: ProductQuery) -> Answer:
    """A list of products; staff get a fresh one, with what only they may see."""

    def build() -> Answer:
        products = product_queries.list_products(actor, query)
        currency = store_currency()
        items = [show_product(product, currency, actor.is_admin) for product in products.items]
        return list_answer(products, items)

    return build() if actor.is_admin else catalogue_cache.cached_list("products", query, build)


def product_at(actor: Actor, address: str) -> Answer:
    """The product with this id or slug; raises NotFound if the caller may see none."""

    def build() -> ProductAnswer:
        product = product_queries.view_product(actor, address)
        return ProductAnswer(product_answer(product, actor), product.id, product.slug)

    if actor.is_admin:
        return build().answer
    return catalogue_cache.cached_product(id_or_slug(address) or "", build)


def product_answer(product: Product | ProductView, actor: Actor) -> Answer:
    """One product; its ETag begins with its version."""
    view = show_product(product, store_currency(), actor.is_admin)
    return answer(view, tag_prefix=f"{product.version}-")


def product_etag(product: Product, actor: Actor) -> dict[str, str]:
    """The header with the ETag that a GET of the product answers to this caller."""
    return {"ETag": f'"{product_answer(product, actor).etag}"'}


def product_fingerprints(product: Product) -> Collection[str]:
    """What stands behind the version in the product's ETags: staff's, and everybody else's."""
    views = (show_product(product, store_currency(), is_admin) for is_admin in (True, False))
    return {answer(view).etag for view in views}


def category_answer(entry: CategoryWithCount) -> Answer:
    """One category; its ETag begins with its version."""
    return answer(show_category(entry), tag_prefix=f"{entry.category.version}-")


def category_branch(address: int | str | None, most: int = MAX_CHILDREN) -> Answer:
    """The `trail` from the root to a category, and at most so many of its `children`; None: the top of
    the tree.

    Raises:
        NotFound: there is no such category.
    """

    def build() -> Answer:
        branch = category_service.branch(None if address is None else str(address), most)
        parts = branch._asdict().items()
        return answer({name: [show_category(item) for item in part] for name, part in parts})

    return catalogue_cache.cached_list("category branch", (address, most), build)


def facets(query: ProductQuery, total: int) -> Facets:
    """How many products each further choice would leave, of a list that has `total`."""
    query = product_facets.cache_key(query)
    key = query, min(total, product_facets.MAX_COUNTED + 1)

    def build() -> Answer:
        return answer(product_facets.count(query, store_currency(), total)._asdict())

    return Facets(**orjson.loads(catalogue_cache.cached_list("facets", key, build).body))

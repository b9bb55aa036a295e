"""The catalogue's public answers, ready to send or to draw a page from: cached alike for both."""

from typing import Any

import orjson

from app.domain.actor import ANONYMOUS
from app.domain.address import id_or_slug
from app.schemas.base import store_currency
from app.schemas.categories import show_category
from app.schemas.products import show_product
from app.services import catalogue_cache, category_service, product_facets, product_queries
from app.services.catalogue_cache import Answer, ProductAnswer
from app.services.product_facets import Facets
from app.services.product_queries import Wanted
from app.utils.answers import answer, list_answer

ALL_CATEGORIES = 1_000
"""As many as a page's navigation takes."""


def product_list(wanted: Wanted) -> dict[str, Any]:
    """A list of products as the API answers it."""

    def build() -> Answer:
        found = product_queries.list_products(ANONYMOUS, wanted)
        items = [show_product(product, store_currency()) for product in found.items]
        return list_answer(found, items)

    body: dict[str, Any] = orjson.loads(catalogue_cache.listed("products", wanted, build).body)
    return body


def product_view(address: str) -> dict[str, Any]:
    """One product as the API answers it.

    Raises:
        NotFound: there is none.
    """

    def build() -> ProductAnswer:
        product = product_queries.get_product(ANONYMOUS, address)
        view = show_product(product, store_currency())
        return ProductAnswer(answer(view, f"{product.version}-"), product.id, product.slug)

    found = catalogue_cache.product(id_or_slug(address) or "", build)
    view: dict[str, Any] = orjson.loads(found.body)
    return view


def category_answer() -> Answer:
    """All categories in tree order."""

    def build() -> Answer:
        found = category_service.list_categories(1, ALL_CATEGORIES)
        return list_answer(found, [show_category(item) for item in found.items])

    return catalogue_cache.listed("all categories", (), build)


def facets(wanted: Wanted) -> Facets:
    """How many products each further choice would leave."""
    question = product_facets.question(wanted)

    def build() -> Answer:
        return answer(product_facets.count(question, store_currency())._asdict())

    return Facets(**orjson.loads(catalogue_cache.listed("facets", question, build).body))

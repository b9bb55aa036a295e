"""Doors of the products: everybody reads, staff write."""

from typing import Any

from flask import Response

from app.domain.actor import Actor
from app.domain.address import id_or_slug
from app.models import Product
from app.schemas.base import store_currency
from app.schemas.products import (
    ProductListArgs,
    ProductListSchema,
    ProductSchema,
    show_product,
)
from app.services import catalogue_cache, product_queries, product_service
from app.services.catalogue_cache import Answer, ProductAnswer
from app.services.product_queries import Wanted
from app.unit_of_work import in_transaction
from app.utils.answers import answer, expected_versions, link_header, list_answer, send
from app.utils.blueprints import ShopBlueprint
from app.utils.decorators import admin_required
from app.utils.identity import current_actor

blp = ShopBlueprint("products", __name__, url_prefix="/api/products")
LIST_ARGS = ProductListArgs()
NEW = ProductSchema()
CHANGES = ProductSchema(partial=True)


@blp.get("")
@blp.arguments(LIST_ARGS, location="query")
@blp.response(200, ProductListSchema)
def list_products(args: dict[str, Any]) -> Response:
    """Products by filter, search and order, in pages or by cursor (an empty cursor begins).

    Of `q` all words must match, across name, description and SKU, the last as a prefix. By
    relevance, the default with `q`, there are pages only. A category includes those below it.
    """
    made = _list(current_actor(), Wanted(**args))
    return send(made, headers=link_header(made))


@blp.post("")
@admin_required
@blp.arguments(NEW)
@blp.response(201, ProductSchema)
def create_product(wishes: dict[str, Any]) -> Response:
    """Add a product: simple, with `price`, `sku` and `stock`; or with `options` and `variants`.

    Beside `variants`, a `price` is that of every variant that names none of its own.
    """
    actor = current_actor()
    product = in_transaction(lambda: product_service.create_product(actor, **wishes))
    return send(_answer(product, actor), 201, {"Location": f"/api/products/{product.id}"})


@blp.get("/<product>")
@blp.response(200, ProductSchema)
def get_product(product: str) -> Response:
    """One product, by id or slug. Its ETag begins with its version."""
    return send(_read(current_actor(), product))


@blp.route("/<product>", methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(CHANGES)
@blp.response(200, ProductSchema)
def edit_product(changes: dict[str, Any], product: str) -> Response:
    """Change the fields that are sent; with `If-Match: "<version>"` only at that version.

    `variants` is the whole list: matched by `id`, new without one, switched off when left out.
    """
    actor, expected = current_actor(), expected_versions()
    edited = in_transaction(lambda: product_service.edit_product(actor, product, changes, expected))
    return send(_answer(edited, actor))


@blp.delete("/<product>")
@admin_required
@blp.response(204)
def delete_product(product: str) -> None:
    """Take a product out of the catalogue; its slug and SKUs are free again."""
    expected = expected_versions()
    in_transaction(lambda: product_service.delete_product(current_actor(), product, expected))


def _list(actor: Actor, wanted: Wanted) -> Answer:
    def build() -> Answer:
        found = product_queries.list_products(actor, wanted)
        currency = store_currency()
        items = [show_product(product, currency, actor.is_admin) for product in found.items]
        return list_answer(found, items)

    return build() if actor.is_admin else catalogue_cache.listed("products", wanted, build)


def _read(actor: Actor, address: str) -> Answer:
    def build() -> ProductAnswer:
        product = product_queries.get_product(actor, address)
        return ProductAnswer(_answer(product, actor), product.id, product.slug)

    if actor.is_admin:
        return build().answer
    return catalogue_cache.product(id_or_slug(address) or "", build)


def _answer(product: Product, actor: Actor) -> Answer:
    view = show_product(product, store_currency(), actor.is_admin)
    return answer(view, tag_prefix=f"{product.version}-")

"""Routes of products: everybody reads, staff write."""

from typing import Any

from flask import Response

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.product_input import ProductInput
from app.schemas.products import ProductListArgs, ProductListSchema, ProductSchema
from app.services import product_service
from app.services.catalogue.product_filters import ProductQuery
from app.utils.decorators import admin_required
from app.web import catalogue_answers
from app.web.answers import expected_versions, link_header, send
from app.web.blueprints import ShopBlueprint
from app.web.callers.buyers import header
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import product_answer

blp = ShopBlueprint("products", __name__, url_prefix="/api/products")
IF_MATCH = header("If-Match", "The versions, as ETags or just in quotes, at which to do it.")
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
    products = catalogue_answers.product_list(current_actor(), ProductQuery(**args))
    return send(products, headers=link_header(products))


@blp.post("")
@admin_required
@blp.arguments(NEW)
@blp.response(201, ProductSchema)
def create_product(fields: ProductInput) -> Response:
    """Add a product: simple, with `price`, `sku` and `stock`; or with `options` and `variants`.

    Beside `variants`, a `price` is that of every variant that names none of its own.
    """
    actor = current_actor()
    product = in_transaction(lambda: product_service.create_product(actor, fields))
    return send(product_answer(product, actor), 201, {"Location": f"/api/products/{product.id}"})


@blp.get("/<product>")
@blp.response(200, ProductSchema)
def get_product(product: str) -> Response:
    """One product, by id or slug. Its ETag begins with its version."""
    return send(catalogue_answers.product_at(current_actor(), product))


@blp.route("/<product>", methods=["PATCH", "PUT"])
@blp.doc(parameters=[IF_MATCH])
@admin_required
@blp.arguments(CHANGES)
@blp.response(200, ProductSchema)
def edit_product(changes: ProductInput, product: str) -> Response:
    """Change the fields that are sent; with `If-Match: "<version>"` only at that version.

    `variants` is the whole list: matched by `id`, new without one, switched off when left out.
    """
    actor, expected = current_actor(), expected_versions()
    edited = in_transaction(lambda: product_service.edit_product(actor, product, changes, expected))
    return send(product_answer(edited, actor))


@blp.delete("/<product>")
@blp.doc(parameters=[IF_MATCH])
@admin_required
@blp.response(204)
def delete_product(product: str) -> None:
    """Take a product out of the catalogue; its slug and SKUs are free again."""
    expected = expected_versions()
    in_transaction(lambda: product_service.delete_product(current_actor(), product, expected))

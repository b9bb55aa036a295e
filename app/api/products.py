"""Routes of products: everybody reads, staff write."""

from typing import Any

from flask import Response, url_for

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.product_input import ProductInput, VariantInput
from app.schemas.products import (
    OneVariantSchema,
    ProductListArgs,
    ProductListSchema,
    ProductSchema,
)
from app.services import product_service
from app.services.catalogue.product_filters import ProductQuery
from app.utils.decorators import admin_required
from app.web import catalogue_answers
from app.web.answers import link_header, send
from app.web.blueprints import ShopBlueprint, takes_if_match
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import product_answer, product_fingerprints
from app.web.keyed_requests import once, takes_key
from app.web.preconditions import current_precondition, without_etag

blp = ShopBlueprint("products", __name__, url_prefix="/api/products")
LIST_ARGS = ProductListArgs()
NEW = ProductSchema()
CHANGES = ProductSchema(partial=True)
VARIANT_CHANGES = OneVariantSchema(partial=True)


@blp.get("")
@blp.arguments(LIST_ARGS, location="query")
@blp.response(200, ProductListSchema)
def list_products(args: dict[str, Any]) -> Response:
    """List products, filtered, searched and sorted; by page, or by cursor (start with an empty one).

    All words of `q` must match in name, description or SKU, the last one as a prefix. The order by
    relevance, the default with `q`, has pages only. A category includes its subcategories.
    """
    products = catalogue_answers.product_list(current_actor(), ProductQuery(**args))
    return send(products, headers=link_header(products))


@blp.post("")
@admin_required
@blp.arguments(NEW)
@blp.response(201, ProductSchema)
@takes_key
def create_product(fields: ProductInput) -> Response:
    """Add a product: simple, with `price`, `sku` and `stock`; or with `options` and `variants`.

    With `variants`, `price` is the price of every variant that has none of its own.
    """
    actor = current_actor()

    def create() -> Response:
        product = product_service.create_product(actor, fields)
        location = url_for("products.get_product", product=product.id)
        return send(product_answer(product, actor), 201, {"Location": location})

    return once(without_etag(create, creates=True))


@blp.get("/<product>")
@blp.response(200, ProductSchema)
def get_product(product: str) -> Response:
    """One product, by id or slug. Its ETag is its version, a hyphen and a fingerprint."""
    return send(catalogue_answers.product_at(current_actor(), product))


@blp.route("/<product>", methods=["PATCH", "PUT"])
@takes_if_match
@admin_required
@blp.arguments(CHANGES)
@blp.response(200, ProductSchema)
def edit_product(changes: ProductInput, product: str) -> Response:
    """Change the fields that are sent. What is equal to what is stored leaves the version as it is.

    `If-Match` takes versions in quotes and ETags. Of an ETag only the version counts, which sales do
    not raise; where `stock` is sent, all of the ETag counts.

    `variants` is the whole list: those with an `id` are changed, those without one are added, and
    variants that are left out are deactivated.
    """
    actor, condition = current_actor(), current_precondition(product_fingerprints)
    row = in_transaction(lambda: product_service.edit_product(actor, product, changes, condition))
    return send(product_answer(row, actor))


@blp.route("/<product>/variants/<int:variant_id>", methods=["PATCH", "PUT"])
@takes_if_match
@admin_required
@blp.arguments(VARIANT_CHANGES)
@blp.response(200, ProductSchema)
def edit_variant(changes: VariantInput, product: str, variant_id: int) -> Response:
    """Change one variant, active or not, and leave the others; `If-Match` names the product's version.

    An inactive variant keeps its SKU: to give it another one makes its own free for other products.
    """
    actor, condition = current_actor(), current_precondition(product_fingerprints)
    row = in_transaction(
        lambda: product_service.edit_variant(actor, product, variant_id, changes, condition)
    )
    return send(product_answer(row, actor))


@blp.delete("/<product>")
@takes_if_match
@admin_required
@blp.response(204)
def delete_product(product: str) -> None:
    """Delete a product. Its slug and SKUs can be used again."""
    condition = current_precondition()
    in_transaction(lambda: product_service.delete_product(current_actor(), product, condition))

"""Routes of stock: corrections and the ledger, for staff."""

from typing import Any

from flask import Response
from flask.typing import ResponseReturnValue

from app.schemas.paging import list_schema
from app.schemas.stock import LedgerListArgs, StockChangeSchema, StockMovementSchema, StockSchema
from app.services import product_service
from app.services.inventory import stock_service
from app.utils.decorators import admin_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint, takes_if_match
from app.web.callers.identity import current_actor
from app.web.catalogue_answers import product_etag, product_fingerprints
from app.web.keyed_requests import once, takes_key
from app.web.pagination import list_body, read_part
from app.web.preconditions import current_precondition

blp = ShopBlueprint("stock", __name__, url_prefix="/api/products", private=True)
STOCK = StockSchema()


@blp.post("/<product>/stock")
@takes_if_match
@admin_required
@blp.arguments(StockChangeSchema)
@blp.response(200, STOCK)
@takes_key
def change_stock(change: dict[str, Any], product: str) -> Response:
    """Correct the stock on hand, by a difference or to a count, with a reason.

    `If-Match` and the answer's ETag are those of the product, which sales and corrections change. A
    version in quotes in `If-Match` admits them.
    """
    actor, condition = current_actor(), current_precondition(product_fingerprints)

    def correct() -> Response:
        variant, row = product_service.change_stock(actor, product, change, condition)
        return json_response(STOCK.dump(variant), 200, product_etag(row, actor))

    return once(correct)


@blp.get("/<product>/stock")
@admin_required
@blp.arguments(LedgerListArgs, location="query")
@blp.response(200, list_schema(StockMovementSchema))
def list_movements(arguments: dict[str, Any], product: str) -> ResponseReturnValue:
    """The stock movements of a product, newest first."""
    part = read_part(
        {"product": product, **arguments},
        stock_service.list_movements,
        stock_service.slice_of_movements,
    )
    return list_body(part, list(part.items))

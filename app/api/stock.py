"""Routes of stock: corrections and the ledger, for staff."""

from typing import Any

from flask.typing import ResponseReturnValue

from app.db.unit_of_work import in_transaction
from app.models import Variant
from app.schemas.paging import list_schema
from app.schemas.stock import LedgerListArgs, StockChangeSchema, StockMovementSchema, StockSchema
from app.services.inventory import stock_service
from app.utils.decorators import admin_required
from app.web.blueprints import ShopBlueprint
from app.web.callers.identity import current_actor
from app.web.pagination import list_body, read_part

blp = ShopBlueprint("stock", __name__, url_prefix="/api/products", private=True)


@blp.post("/<product>/stock")
@admin_required
@blp.arguments(StockChangeSchema)
@blp.response(200, StockSchema)
def change_stock(change: dict[str, Any], product: str) -> Variant:
    """Correct the stock on hand, by a difference or to a count, with a reason."""
    return in_transaction(lambda: stock_service.change_stock(current_actor(), product, **change))


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

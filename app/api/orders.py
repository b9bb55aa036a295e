"""Doors of orders."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("orders", __name__, url_prefix="/api/orders")

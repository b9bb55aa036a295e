"""Doors of stock."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("stock", __name__, url_prefix="/api/products")

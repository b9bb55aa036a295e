"""Doors of products."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("products", __name__, url_prefix="/api/products")

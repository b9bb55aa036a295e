"""Doors of cart."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("cart", __name__, url_prefix="/api/cart")

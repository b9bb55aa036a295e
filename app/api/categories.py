"""Doors of categories."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("categories", __name__, url_prefix="/api/categories")

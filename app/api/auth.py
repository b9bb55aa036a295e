"""Doors of auth."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("auth", __name__, url_prefix="/api/auth")

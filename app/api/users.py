"""Doors of users."""

from app.utils.blueprints import ShopBlueprint

blp = ShopBlueprint("users", __name__, url_prefix="/api/users")

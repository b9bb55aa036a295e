"""The HTML doors."""

from importlib import import_module

from flask import Flask

from app.pages import formats, helpers, seo, statics

BLUEPRINTS = (
    "storefront", "sign_in", "cart", "checkout", "orders", "account", "addresses",
    "media",
    "admin.dashboard", "admin.orders", "admin.guest_orders",
    "admin.products", "admin.product_pictures", "admin.product_stock", "admin.categories",
    "admin.customers", "admin.erasure", "admin.imports", "admin.security", "admin.trail",
)  # fmt: skip


def register(app: Flask) -> None:
    """Hang the pages into the app."""
    formats.register(app)
    helpers.register(app)
    statics.register(app)
    for name in BLUEPRINTS:
        app.register_blueprint(import_module(f"app.pages.{name}").blp)
    app.register_blueprint(seo.blp)

"""The HTML routes."""

from importlib import import_module

from flask import Flask

from app.pages import formats, helpers, statics

BLUEPRINTS = (
    "shop.storefront", "shop.cart", "shop.checkout", "shop.seo", "media",
    "account.sign_in", "account.overview", "account.orders", "account.addresses",
    "account.security", "account.second_factor", "account.recovery", "account.email",
    "admin.dashboard", "admin.orders", "admin.guest_orders",
    "admin.catalogue.products", "admin.catalogue.product_pictures", "admin.catalogue.product_stock",
    "admin.catalogue.categories", "admin.catalogue.imports",
    "admin.customers", "admin.erasure", "admin.jobs", "admin.mail", "admin.security",
    "admin.pricing.taxes", "admin.pricing.shipping", "admin.pricing.promotions",
    "admin.pricing.promotion_codes", "admin.reports",
    "admin.settings", "admin.trail", "admin.webhooks",
)  # fmt: skip


def register(app: Flask) -> None:
    """Register filters, globals and blueprints of the pages."""
    formats.register(app)
    helpers.register(app)
    statics.register(app)
    for name in BLUEPRINTS:
        app.register_blueprint(import_module(f"app.pages.{name}").blp)

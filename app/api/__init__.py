"""The JSON routes."""

from importlib import import_module

from flask import Flask
from werkzeug.routing import IntegerConverter

from app.api import docs, health, metrics
from app.extensions import api

BLUEPRINTS = (
    "auth",
    "recovery",
    "users",
    "mfa",
    "settings",
    "tax_rates",
    "shipping",
    "promotions",
    "categories",
    "products",
    "stock",
    "images",
    "cart",
    "orders",
    "events",
    "webhooks",
)


class PlainDigits(IntegerConverter):
    """An id in a path, in one spelling: werkzeug's own converter also takes `003` and `\u0663` for 3.

    The pattern also limits the size, so that a number that no column can hold is a 404. A check after
    the match would make it a 405, where the route has other methods.
    """

    regex = "[1-9][0-9]{0,17}"


def register(app: Flask) -> None:
    """Register all routes, and describe them in the OpenAPI document."""
    app.url_map.converters["int"] = PlainDigits
    docs.prepare(app)
    for name in BLUEPRINTS:
        api.register_blueprint(import_module(f"app.api.{name}").blp)
    app.register_blueprint(docs.blp)
    app.register_blueprint(health.blp)
    app.register_blueprint(metrics.blp)

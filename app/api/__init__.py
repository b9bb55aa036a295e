"""The JSON doors."""

from importlib import import_module

from flask import Flask
from werkzeug.routing import IntegerConverter

from app.api import docs, health, metrics
from app.extensions import api

BLUEPRINTS = ("auth", "users", "categories", "products", "stock", "images", "cart", "orders")


class PlainDigits(IntegerConverter):
    """An id in a path, in one spelling: the framework's own takes `003` and `\u0663` for 3 as well.

    What could not be stored names nothing. The pattern says so, not a limit that is looked at after
    it: that would make the path one of the route's other methods, and so a 405.
    """

    regex = "[1-9][0-9]{0,17}"


def register(app: Flask) -> None:
    """Hang all doors into the app, and describe them in its OpenAPI document."""
    app.url_map.converters["int"] = PlainDigits
    docs.prepare(app)
    for name in BLUEPRINTS:
        api.register_blueprint(import_module(f"app.api.{name}").blp)
    app.register_blueprint(docs.blp)
    app.register_blueprint(health.blp)
    app.register_blueprint(metrics.blp)

"""The JSON doors."""

from importlib import import_module

from flask import Flask

from app.api import docs, health
from app.extensions import api

BLUEPRINTS = ("auth", "users", "categories", "products", "stock", "cart", "orders")


def register(app: Flask) -> None:
    """Hang all doors into the app, and describe them in its OpenAPI document."""
    docs.prepare(app)
    for name in BLUEPRINTS:
        api.register_blueprint(import_module(f"app.api.{name}").blp)
    app.register_blueprint(docs.blp)
    app.register_blueprint(health.blp)

"""The HTML doors."""

from flask import Flask

from app.pages import media, storefront


def register(app: Flask) -> None:
    """Hang the pages into the app."""
    app.register_blueprint(storefront.blp)
    app.register_blueprint(media.blp)

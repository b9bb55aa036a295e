"""The shop as it is, but for one thing that the benchmark wants to see or to do without."""

from flask import Flask, Response, g, has_request_context
from sqlalchemy import event

from app import create_app
from app.config import load
from app.extensions import db

STATEMENTS = "X-Statements"


def uncached() -> Flask:
    """The shop with a cache that keeps nothing: what reads cost when they are not kept ready."""
    settings = load()
    settings.CACHE_TYPE = "NullCache"
    return create_app(settings)


def counted() -> Flask:
    """The shop, telling with each answer how many statements it took."""
    return _counting(create_app())


def counted_uncached() -> Flask:
    """Both of these."""
    return _counting(uncached())


def _counting(app: Flask) -> Flask:
    def note(*_facts: object) -> None:
        if has_request_context():
            g.statements = g.get("statements", 0) + 1

    def tell(response: Response) -> Response:
        response.headers[STATEMENTS] = str(g.get("statements", 0))
        return response

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
    app.after_request(tell)
    return app

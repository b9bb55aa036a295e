"""Steps that the tests of carts, orders and stock share."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Variant
from tests.integration.conftest import Caller
from tests.integration.people import change, inside

__all__ = [
    "ADDRESS",
    "change",
    "fill",
    "guest_order",
    "inside",
    "move",
    "order",
    "statements_for",
    "stock",
]

ADDRESS = {"name": "Pat Doe", "line1": "1 High Street", "city": "Leeds", "country": "GB"}


def fill(caller: Caller, product: Any, quantity: int = 1) -> TestResponse:
    """Put a product into the caller's cart; a guest keeps the token that comes with it."""
    response = caller.post("/api/cart/items", json={"product_id": product.id, "quantity": quantity})
    if "X-Cart-Token" in response.headers:
        caller.headers["X-Cart-Token"] = response.headers["X-Cart-Token"]
    return response


def order(caller: Caller, product: Any, quantity: int = 1, **body: Any) -> TestResponse:
    """Fill the caller's cart and order it."""
    fill(caller, product, quantity)
    return caller.post("/api/orders", json=body)


def guest_order(guest: Caller, product: Any, quantity: int = 1) -> Any:
    """A guest's order; from then on the caller sends its token."""
    placed = order(guest, product, quantity, email="guest@example.com").json
    guest.headers["X-Order-Token"] = placed["guest_token"]
    return placed


def move(admin: Caller, placed: Any, *statuses: str) -> Any:
    """Move an order along, step by step."""
    for status in statuses:
        response = admin.patch(f"/api/orders/{placed['id']}/status", json={"status": status})
        assert response.status_code == 200, response.json
    return response.json


def stock(app: Flask, product: Any) -> tuple[int, int]:
    """What is on hand of a simple product, and what of it is allocated."""
    variant = inside(app, lambda: db.session.get(Variant, product.variants[0].id))
    return variant.on_hand, variant.allocated


def statements_for(app: Flask, work: Callable[[], Any]) -> int:
    """How many statements `work` sends to the database, BEGIN among them. The shop's name, which pages
    read once a second, is left out."""
    seen = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if "FROM store" not in statement:
            seen.append(statement)

    with app.app_context():
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            work()
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
    return len(seen)

"""The witnesses of the fire suite on the real shop: its books are read right, and its ways accepted."""

import itertools

import pytest

from tests import factories
from tests.integration.shopping import fill, inside, move, order
from tests.reliability.checker import check
from tests.reliability.facts import WorldFacts
from tests.reliability.history import Attempt, History
from tests.reliability.ledgers import Key, Line, Variant, read_books


@pytest.fixture
def product(app):
    return inside(app, lambda: factories.product(price=1250, stock=10, sku="TEA"))


def test_an_order_is_read_with_its_lines_history_and_stock(customer, admin, product, database):
    variant_id = product.variants[0].id
    placed = order(customer, product, quantity=3, note="soon")
    move(admin, placed.json, "processing", "shipped")

    books = read_books(database)

    read = books.orders[placed.json["id"]]
    assert (read.number, read.user_id) == (placed.json["number"], customer.user_id)
    assert (read.subtotal, read.total, read.extras, read.note) == (3750, 3750, 0, "soon")
    assert read.lines == (Line(variant_id, "TEA", 3, 1250, 3750),)
    steps = [("pending", "customer"), ("processing", "staff"), ("shipped", "staff")]
    assert [(event.status, event.done_by) for event in read.events] == steps
    assert books.variants[variant_id] == Variant(variant_id, 7, 0, 1250, is_offered=True)
    moved = [(row.on_hand, row.allocated, row.order_id) for row in books.movements]
    assert moved == [(10, 0, None), (0, 3, read.id), (-3, -3, read.id)]


def test_carts_keys_and_accounts_are_read(customer, product, database):
    fill(customer, product, quantity=2)
    headers = {"Idempotency-Key": "once"}
    placed = customer.post("/api/orders", json={}, headers=headers)
    fill(customer, product)

    books = read_books(database)

    assert books.keys == [Key(f"user:{customer.user_id}", "once", placed.json["id"])]
    assert books.carts == {customer.user_id: {product.variants[0].id: 1}}
    assert books.users[customer.user_id].role == "customer"


def test_what_is_no_longer_offered_is_read_as_such(admin, product, database):
    admin.patch(f"/api/products/{product.id}", json={"is_active": False})

    books = read_books(database)

    assert not books.variants[product.variants[0].id].is_offered


def test_what_the_shop_really_answers_is_understood_and_accepted(
    customer, admin, product, database
):
    seen, variant_id = Seen(), product.variants[0].id
    two = {"variant_id": variant_id, "quantity": 2}
    note = {"note": "first", "expected_total": "25.00"}
    counted = {"variant_id": variant_id, "delta": -9, "reason": "counted"}
    shelf, page = f"/api/products/{product.id}", {"page": 1, "per_page": 20}

    seen.send(customer, "add_item", "POST /api/cart/items", two, about=two)
    seen.send(customer, "read_cart", "GET /api/cart")
    placed = seen.send(customer, "place_order", "POST /api/orders", note, key="first")
    seen.send(customer, "place_order", "POST /api/orders", note, key="first")
    seen.send(customer, "place_order", "POST /api/orders", key="second")
    named = {"number": placed.answer["number"]}
    seen.send(customer, "list_orders", "GET /api/orders", about=page)
    for _ in range(2):
        seen.send(customer, "cancel", f"POST /api/orders/{named['number']}/cancel", about=named)
    seen.send(admin, "adjust_stock", f"POST {shelf}/stock", counted, about=counted)
    seen.send(customer, "add_item", "POST /api/cart/items", two, about=two)
    dearer = {"variant_id": variant_id, "price": 1300}
    seen.send(admin, "change_price", f"PATCH {shelf}", {"price": "13.00"}, about=dearer)
    seen.send(customer, "read_product", f"GET {shelf}")
    facts = WorldFacts(
        on_hand={variant_id: 10},
        prices={variant_id: 1250},
        users={"customer": customer.user_id},
        cache_lag=0.0,
        must_succeed=frozenset({"place_order", "cancel", "list_orders"}),
    )

    assert [str(wrong) for wrong in check(seen.history, read_books(database), facts)] == []
    assert [a.status for a in seen.history.of("place_order")] == [201, 201, 422]
    assert [a.status for a in seen.history.of("cancel")] == [200, 409]
    assert [a.status for a in seen.history.of("add_item")] == [201, 409]


class Seen:
    """Requests to the shop, one after the other, written into a history."""

    def __init__(self):
        self.history = History()
        self._clock = itertools.count()

    def send(self, caller, operation, request, body=None, key=None, about=None):
        """One request of a customer, or of staff."""
        method, path = request.split()
        headers = {"Idempotency-Key": key} if key else {}
        response = caller.call(method, path, json=body, headers=headers)
        attempt = Attempt(
            operation,
            "customer",
            method,
            path,
            key,
            body,
            start=float(next(self._clock)),
            end=float(next(self._clock)),
            status=response.status_code,
            answer=response.json,
            raw=response.data,
            replayed="Idempotency-Replayed" in response.headers,
            about={"cart": "account", **(about or {})},
        )
        self.history.append(attempt)
        return attempt

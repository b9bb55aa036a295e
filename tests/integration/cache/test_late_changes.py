"""Articles that change after an order has read them, and before it promises them."""

from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from app.extensions import db
from app.models import Order, Variant
from tests import factories
from tests.integration.books import assert_books_balance
from tests.integration.shopping import fill, inside, stock

# SQLite has one writer at a time: nothing can come in between there.
pytestmark = pytest.mark.only_on("postgresql")


@pytest.fixture(params=["alone", "before another", "after another"])
def product(app, customer, request):
    """The product that changes. In the cart may be another one, which is free and does not change:
    all lines of an order are allocated, in the order of their ids, or none is."""

    def make(price):
        return inside(app, lambda: factories.product(price=price, stock=10))

    if request.param == "after another":
        fill(customer, make(0))
    product = make(1250)
    if request.param == "before another":
        fill(customer, make(0))
    return product


@contextmanager
def meanwhile(app, product, change):
    """Carry out `change` once, when the lines of an order are written."""
    with app.app_context():
        engine = db.engine
    left = [change]

    def interfere(_connection, _cursor, statement, *_rest):
        if statement.startswith("INSERT INTO order_lines") and left:
            with engine.begin() as other:
                other.execute(text(f"UPDATE variants SET {left.pop()} WHERE id = :id"), product)

    product = {"id": product.variants[0].id}
    event.listen(engine, "before_cursor_execute", interfere)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", interfere)
    assert left == []


def test_an_order_is_charged_at_the_price_that_is_in_force_when_it_is_promised(
    app, customer, product
):
    fill(customer, product, 2)

    with meanwhile(app, product, "price = 1300"):
        placed = customer.post("/api/orders", json={})

    assert (placed.status_code, placed.json["total"]) == (201, "26.00")
    assert stock(app, product) == (10, 2)
    inside(app, assert_books_balance)


def test_another_total_than_was_expected_is_told_also_when_it_changes_late(app, customer, product):
    fill(customer, product)

    with meanwhile(app, product, "price = 1300"):
        refused = customer.post("/api/orders", json={"expected_total": "12.50"})

    assert (refused.status_code, refused.json["code"]) == (409, "total_changed")
    assert inside(app, lambda: factories.count(Order)) == 0


def test_an_article_that_is_withdrawn_late_is_out_of_stock(app, customer, product):
    fill(customer, product)

    with meanwhile(app, product, "is_active = false"):
        refused = customer.post("/api/orders", json={})

    assert (refused.status_code, refused.json["code"]) == (409, "out_of_stock")
    assert refused.json["shortages"][0]["available"] == 0
    assert stock(app, product) == (10, 0)


def test_the_last_units_that_go_late_are_not_promised_twice(app, customer, product):
    fill(customer, product, 10)

    with meanwhile(app, product, "allocated = 1"):
        refused = customer.post("/api/orders", json={})

    assert (refused.status_code, refused.json["shortages"][0]["available"]) == (409, 9)
    assert inside(app, lambda: db.session.get(Variant, product.variants[0].id)).allocated == 1
    assert inside(app, lambda: factories.count(Order)) == 0

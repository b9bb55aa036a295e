"""Orders, corrections, edits and imports that come in the middle of each other: stock that is promised
stays, and what is taken away is not promised."""

import pytest
from sqlalchemy import text

from app.db import unit_of_work
from app.extensions import db
from tests import factories
from tests.integration.interleaving import interleave
from tests.integration.people import inside
from tests.integration.shopping import fill, move, order, stock

pytestmark = pytest.mark.usefixtures("balanced_books")

READ = "ORDER BY variants.position"
"""The statement that reads the variants of a product before they are locked."""
LOCKED = "FROM variants \nWHERE variants.id IN"
"""The statement that locks the variants of a correction or an edit."""
ALLOCATED = "UPDATE variants"
"""The statement of an order that allocates its stock."""


@pytest.fixture
def product(app):
    """A product of which an order of 2 leaves 1: an order of all would also wait for the product's
    row, whose number of variants in stock changes then."""
    return inside(app, factories.product, stock=3)


def place(caller):
    return caller.post("/api/orders", json={})


def empty_shelf(admin, product, way):
    """Take everything off the shelf: by a correction or an edit."""
    path = f"/api/products/{product.id}"
    if way == "edit":
        return admin.patch(path, json={"stock": 0})
    return admin.post(f"{path}/stock", json={"on_hand": 0, "reason": "Counted"})


@pytest.mark.parametrize("way", ["correction", "edit"])
def test_an_order_during_a_change_of_stock_finds_what_is_left(app, admin, customer, product, way):
    fill(customer, product, 2)

    changed, placed = interleave(
        app, lambda: empty_shelf(admin, product, way), LOCKED, lambda: place(customer)
    )

    assert (changed.status_code, placed.status_code) == (200, 409)
    assert placed.json["shortages"][0]["available"] == 0
    assert stock(app, product) == (0, 0)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(("way", "status"), [("correction", 409), ("edit", 200)])
def test_a_change_of_stock_sees_what_was_ordered_since_it_read_the_product(
    app, admin, customer, product, way, status
):
    fill(customer, product, 2)

    changed, placed = interleave(
        app, lambda: empty_shelf(admin, product, way), READ, lambda: place(customer)
    )

    assert (changed.status_code, placed.status_code) == (status, 201)
    assert stock(app, product) == ((3, 2) if way == "correction" else (2, 2))


@pytest.mark.parametrize(("way", "status"), [("correction", 409), ("edit", 200)])
def test_a_change_of_stock_during_an_order_leaves_what_it_was_promised(
    app, admin, customer, product, way, status
):
    """An edit says what can still be sold, so nothing is left beside what is promised."""
    fill(customer, product, 2)

    placed, changed = interleave(
        app, lambda: place(customer), ALLOCATED, lambda: empty_shelf(admin, product, way)
    )

    assert (placed.status_code, changed.status_code) == (201, status)
    assert stock(app, product) == ((3, 2) if way == "correction" else (2, 2))


def test_two_corrections_are_added_up(app, admin, product):
    def add(units):
        path = f"/api/products/{product.id}/stock"
        return admin.post(path, json={"delta": units, "reason": "Delivery"})

    answers = interleave(app, lambda: add(5), LOCKED, lambda: add(7))

    assert [answer.json["on_hand"] for answer in answers] == [8, 15]


def import_stock(app, product, units):
    sku = product.variants[0].sku
    lines = f"sku,name,price,stock\n{sku},{product.name},10.00,{units}\n"
    return app.test_cli_runner().invoke(args=["import-products", "-"], input=lines)


@pytest.mark.parametrize(("units", "left"), [(1, (3, 2)), (9, (9, 2))])
def test_an_import_during_an_order_leaves_what_it_was_promised(app, customer, product, units, left):
    fill(customer, product, 2)

    placed, _imported = interleave(
        app, lambda: place(customer), ALLOCATED, lambda: import_stock(app, product, units)
    )

    assert placed.status_code == 201
    assert stock(app, product) == left


def change_status(admin, placed, status):
    return admin.patch(f"/api/orders/{placed['id']}/status", json={"status": status})


def cancel(customer, placed):
    return customer.post(f"/api/orders/{placed['id']}/cancel")


@pytest.mark.parametrize("statement", ["FROM orders", "UPDATE variants"])
@pytest.mark.parametrize("is_shipped_first", [False, True])
def test_an_order_is_either_shipped_or_cancelled(
    app, admin, customer, product, statement, is_shipped_first
):
    placed = order(customer, product, 2).json
    move(admin, placed, "processing")
    steps = [lambda: cancel(customer, placed), lambda: change_status(admin, placed, "shipped")]
    first, second = steps[::-1] if is_shipped_first else steps

    answers = interleave(app, first, statement, second)

    assert [answer.status_code for answer in answers] == [200, 409]
    assert answers[1].json["code"] == "illegal_transition"
    assert stock(app, product) == ((1, 0) if is_shipped_first else (3, 0))


@pytest.mark.parametrize("statement", ["FROM orders", "UPDATE variants"])
def test_an_order_is_cancelled_once(app, customer, product, statement):
    placed = order(customer, product, 2).json

    answers = interleave(
        app, lambda: cancel(customer, placed), statement, lambda: cancel(customer, placed)
    )

    assert [answer.status_code for answer in answers] == [200, 409]
    assert stock(app, product) == (3, 0)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("is_order", [True, False])
def test_nobody_waits_to_put_what_others_order_or_correct_into_a_cart(
    app, admin, customer, product, is_order
):
    """A line of a cart refers to its variant, which takes a lock on the variant's key."""
    fill(customer, product)
    lock = text("SELECT id FROM variants WHERE id = :id FOR KEY SHARE NOWAIT")

    def refer():
        with app.app_context(), db.engine.connect() as connection:
            return connection.scalar(lock, {"id": product.variants[0].id})

    first, statement = (
        (lambda: place(customer), ALLOCATED)
        if is_order
        else (lambda: empty_shelf(admin, product, "correction"), LOCKED)
    )

    answer, variant_id = interleave(app, first, statement, refer)

    assert answer.status_code in (200, 201)
    assert variant_id == product.variants[0].id


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("body", [{"delta": -1}, {"on_hand": 0}])
def test_a_correction_of_the_last_unit_locks_the_product_before_the_variant(
    app, admin, monkeypatch, body
):
    """A trigger writes the product then, which an edit locks before it writes variants."""
    monkeypatch.setattr(unit_of_work, "ATTEMPTS", 1)  # a deadlock is not tried again
    path = f"/api/products/{inside(app, factories.product, stock=1).id}"

    answers = interleave(
        app,
        lambda: admin.patch(path, json={"price": "7.00"}),
        READ,
        lambda: admin.post(f"{path}/stock", json={**body, "reason": "Broken"}),
    )

    assert [answer.status_code for answer in answers] == [200, 200]

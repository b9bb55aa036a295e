"""Articles that change after an order has read them, and before it promises them."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from app.extensions import db
from app.models import Order, Variant
from tests import factories
from tests.integration.books import assert_books_balance
from tests.integration.interleaving import is_waiting, meanwhile, wait_until
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
def once_meanwhile(app, product, change):
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

    with once_meanwhile(app, product, "price = 1300"):
        placed = customer.post("/api/orders", json={})

    assert (placed.status_code, placed.json["total"]) == (201, "26.00")
    assert stock(app, product) == (10, 2)
    inside(app, assert_books_balance)


def test_another_total_than_was_expected_is_told_also_when_it_changes_late(app, customer, product):
    fill(customer, product)

    with once_meanwhile(app, product, "price = 1300"):
        refused = customer.post("/api/orders", json={"expected_total": "12.50"})

    assert (refused.status_code, refused.json["code"]) == (409, "total_changed")
    assert inside(app, lambda: factories.count(Order)) == 0


def test_an_article_that_is_withdrawn_late_is_out_of_stock(app, customer, product):
    fill(customer, product)

    with once_meanwhile(app, product, "is_active = false"):
        refused = customer.post("/api/orders", json={})

    assert (refused.status_code, refused.json["code"]) == (409, "out_of_stock")
    assert refused.json["shortages"][0]["available"] == 0
    assert stock(app, product) == (10, 0)


def test_the_last_units_that_go_late_are_not_promised_twice(app, customer, product):
    fill(customer, product, 10)

    with once_meanwhile(app, product, "allocated = 1"):
        refused = customer.post("/api/orders", json={})

    assert (refused.status_code, refused.json["shortages"][0]["available"]) == (409, 9)
    assert inside(app, lambda: db.session.get(Variant, product.variants[0].id)).allocated == 1
    assert inside(app, lambda: factories.count(Order)) == 0


READ_LINES = "FROM cart_lines JOIN variants"
LOCK = "SELECT id FROM variants WHERE id = {} FOR NO KEY UPDATE"


def raise_price(app, product):
    """Make a product a cent dearer, as soon as nobody holds it."""
    with app.app_context():
        engine = db.engine
    with engine.begin() as other:
        where = {"id": product.variants[0].id}
        other.execute(text("UPDATE variants SET price = price + 1 WHERE id = :id"), where)


def test_an_article_that_changes_all_the_time_is_ordered_at_the_second_try(app, customer, product):
    """The second try holds what it has read, so the next change waits for it."""
    fill(customer, product, 2)

    with meanwhile(app, READ_LINES, lambda: raise_price(app, product)) as changes:
        placed = customer.post("/api/orders", json={})

    assert (placed.status_code, placed.json["total"]) == (201, "25.02")
    assert len(changes) == 2
    inside(app, assert_books_balance)


def test_a_guests_second_try_takes_its_locks_in_the_order_that_holds_everywhere(app, anyone):
    product = inside(app, lambda: factories.product(price=1250, stock=10))
    fill(anyone, product)
    locks = []

    def note(_connection, _cursor, statement, *_rest):
        locks.extend(lock for lock in ("pg_advisory_xact_lock", "FOR NO KEY UPDATE OF variants")
                     if lock in statement)  # fmt: skip

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        with once_meanwhile(app, product, "price = 1300"):
            placed = anyone.post("/api/orders", json={"email": "guest@example.com"})
    finally:
        event.remove(engine, "before_cursor_execute", note)

    assert (placed.status_code, placed.json["total"]) == (201, "13.00")
    first_try = locks.index("FOR NO KEY UPDATE OF variants") + 1
    assert locks[first_try:].index("pg_advisory_xact_lock") == 0, locks


@pytest.mark.parametrize("action", ["order", "cancel"])
def test_variants_are_locked_in_the_order_of_their_ids(app, customer, action):
    """Two orders of the same variants could lock them crosswise otherwise. Here they stand the other
    way round in the table and in the index of SKUs, in whose order PostgreSQL would take them."""
    low, high = (inside(app, lambda s=sku: factories.product(sku=s)) for sku in ("B", "A"))
    for each in (low, high):
        fill(customer, each)
    if action == "cancel":
        placed = customer.post("/api/orders", json={}).json
        path = f"/api/orders/{placed['id']}/cancel"
    else:
        path = "/api/orders"
    raise_price(app, low)  # writes a new row version at the end of the table
    with app.app_context():
        engine = db.engine

    with ThreadPoolExecutor() as threads, engine.connect() as holder, engine.connect() as other:
        holder.execute(text(LOCK.format(low.variants[0].id)))
        answer = threads.submit(customer.post, path, json={})
        try:
            wait_until(lambda: answer.done() or is_waiting(engine))
            other.execute(text(LOCK.format(high.variants[0].id) + " NOWAIT"))
        finally:
            other.rollback()
            holder.rollback()

    assert answer.result().status_code in (200, 201)
    inside(app, assert_books_balance)

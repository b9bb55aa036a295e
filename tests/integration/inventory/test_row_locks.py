"""Rows are locked in one order, and so that nobody waits to refer to them (PostgreSQL)."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import event, text

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM, Actor
from app.domain.people.buyer import Buyer
from app.domain.people.guest_limits import GuestLimits
from app.errors import TryAgain
from app.extensions import db
from app.services import order_service
from app.services.buying import cart_service, checkout_service
from app.services.buying.checkout_service import OrderRequest
from app.services.inventory import inventory_service, stock_service
from app.services.order_service import Visitor
from app.services.orders.guest_limits import GuestOrigin
from tests import factories
from tests.integration.books import assert_books_balance

pytestmark = pytest.mark.only_on("postgresql")
NO_LIMITS = GuestOrigin(None, GuestLimits())
LOCK = re.compile(r"(?:ORDER BY ([\w.]+)\s+)?FOR (NO KEY UPDATE|UPDATE)(?: OF ([\w, ]+))?")
OF_LINES = [("products.id", "NO KEY UPDATE", ""), ("variants.id", "NO KEY UPDATE", "variants")]
"""The locks of all variants of an order, and of the products whose price may change."""


@pytest.fixture(autouse=True)
def _inside(app):
    with app.app_context():
        yield
        assert_books_balance()


@contextmanager
def noting_locks() -> Iterator[list[tuple[str, str, str]]]:
    """The locks of rows that are taken meanwhile: in which order, how strong, and of which tables."""
    locks: list[tuple[str, str, str]] = []

    def note(_connection, _cursor, statement, *_others):
        locks.extend(LOCK.findall(" ".join(statement.split())))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield locks
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@contextmanager
def counting_locked_rows() -> Iterator[list[int]]:
    """How many rows each statement locks meanwhile."""
    counts: list[int] = []

    def count(_connection, cursor, statement, *_others):
        if LOCK.search(statement):
            counts.append(cursor.rowcount)

    event.listen(db.engine, "after_cursor_execute", count)
    try:
        yield counts
    finally:
        event.remove(db.engine, "after_cursor_execute", count)


def locks_of(work: Callable[[], object]) -> list[tuple[str, str, str]]:
    with noting_locks() as locks:
        in_transaction(work)
    return locks


@pytest.fixture
def buyer():
    buyer = Buyer(Actor("customer", user_id=factories.user().id))
    for _ in range(2):
        product_id = factories.product().id
        in_transaction(lambda p=product_id: cart_service.add_item(buyer, 1, product_id=p))
    return buyer


def place(buyer):
    return checkout_service.place_order(buyer, OrderRequest(), "USD", NO_LIMITS)


def test_an_order_locks_its_customer_and_at_last_its_variants(buyer):
    assert locks_of(lambda: place(buyer)) == [("", "NO KEY UPDATE", "users, carts"), *OF_LINES]


def test_another_try_of_an_order_locks_the_variants_as_it_reads_them(buyer):
    tries = []

    def place_at_second():
        tries.append("try")
        if len(tries) == 1:
            raise TryAgain()
        return place(buyer)

    assert locks_of(place_at_second) == [
        ("", "NO KEY UPDATE", "users, carts"),
        ("variants.id", "NO KEY UPDATE", "variants"),
        *OF_LINES,
    ]


@pytest.mark.parametrize(("steps", "is_moved"), [(["processing"], False), (["cancelled"], True), (["processing", "shipped"], True)])  # fmt: skip
def test_a_step_locks_its_order_before_its_variants(buyer, steps, is_moved):
    number = in_transaction(lambda: place(buyer)).number

    for step in steps:
        locks = locks_of(lambda s=step: order_service.change_status(Visitor(SYSTEM), number, s))

    assert locks == [("", "UPDATE", ""), *(OF_LINES if is_moved else [])]


def test_variants_are_locked_by_their_ids():
    ids = [factories.product().variants[0].id for _ in range(2)]

    locks = locks_of(lambda: inventory_service.lock_variants(reversed(ids)))

    assert locks == [("variants.id", "NO KEY UPDATE", "")]


@pytest.mark.parametrize(
    ("stock", "delta", "changes_price"),
    [(0, 1, True), (1, -1, True), (9, -9, True), (1, 1, False), (2, -1, False), (9, -1, False)],
)
def test_a_correction_locks_a_product_that_sells_out_or_returns_before_its_variant(
    stock, delta, changes_price
):
    product, *_others = [factories.product(stock=stock) for _ in range(3)]
    staff = Actor("admin", user_id=factories.user(role="admin").id)

    with counting_locked_rows() as rows:
        locks = locks_of(
            lambda: stock_service.change_stock(staff, str(product.id), "Counted", delta=delta)
        )

    before = [("", "NO KEY UPDATE", "")] if changes_price else []
    assert locks == [*before, ("variants.id", "NO KEY UPDATE", "")]
    assert rows == [1] * len(locks)


@contextmanager
def noting_locked_ids() -> Iterator[list[dict[str, set[int]]]]:
    """The products and variants that are locked once a statement has locked those of an order."""
    moments: list[dict[str, set[int]]] = []

    def look(_connection, _cursor, statement, *_others):
        if "locked_products" in statement:
            with db.engine.connect() as other:
                moments.append({table: locked_ids(other, table) for table in TABLES})

    event.listen(db.engine, "after_cursor_execute", look)
    try:
        yield moments
    finally:
        event.remove(db.engine, "after_cursor_execute", look)


TABLES = ("products", "variants")


def locked_ids(connection, table: str) -> set[int]:
    query = f"SELECT id FROM {table}"
    free = connection.scalars(text(f"{query} FOR NO KEY UPDATE SKIP LOCKED"))
    return {*connection.scalars(text(query))} - {*free}


def test_a_move_of_stock_locks_its_variants_and_the_products_that_sell_out_or_return():
    buyer = Buyer(Actor("customer", user_id=factories.user().id))
    last, several, many = (factories.product(stock=stock) for stock in (1, 4, 9))
    others, numbers = [factories.product(stock=stock) for stock in (1, 3)], []

    def place_order(*quantities):
        for product, quantity in quantities:
            in_transaction(
                lambda p=product, q=quantity: cart_service.add_item(buyer, q, product_id=p.id)
            )
        numbers.append(in_transaction(lambda: place(buyer)).number)

    with noting_locked_ids() as locked:
        place_order((last, 1), (several, 2), (many, 2))
        place_order((others[1], 2))
        place_order((several, 2))
        for number, status in ((0, "cancelled"), (2, "processing"), (2, "shipped")):
            in_transaction(
                lambda n=number, s=status: order_service.change_status(
                    Visitor(SYSTEM), numbers[n], s
                )
            )

    first = {product.variants[0].id for product in (last, several, many)}
    only = {several.variants[0].id}
    assert locked == [
        {"products": {last.id}, "variants": first},
        {"products": set(), "variants": {others[1].variants[0].id}},
        {"products": {several.id}, "variants": only},
        {"products": {last.id, several.id}, "variants": first},
        {"products": set(), "variants": only},
    ]

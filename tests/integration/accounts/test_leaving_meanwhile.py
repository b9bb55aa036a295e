"""Requests that come in the middle of an account's deletion, or in whose middle it is deleted: nothing
personal stays behind, whichever of the two is first."""

import pytest

from app.models import Address, Cart, IdempotencyKey, Order, OrderEvent, Session, User
from tests import factories
from tests.factories import PASSWORD
from tests.integration.books import assert_books_balance
from tests.integration.interleaving import interleave
from tests.integration.people import inside, make_user, only_row, rows, signed_in_as
from tests.integration.shopping import ADDRESS, fill, order

BODY = {"email": "ann@example.com", "note": "Ring at Ann Lee's", "shipping_address": ADDRESS}
DELETION = ["UPDATE sessions", "DELETE FROM carts", "UPDATE orders", "UPDATE users"]
"""Statements of a deletion, in their order, after the one that locks the account."""
LOCKED = DELETION[0]
ORDER = ["INSERT INTO idempotency_keys", "FROM users JOIN carts", "INSERT INTO orders",
         "UPDATE idempotency_keys"]  # fmt: skip
"""Statements of an order, in their order. Before the second the account is not locked."""


@pytest.fixture
def owner(app):
    """The customer who leaves."""
    make_user(app)
    return signed_in_as(app)


@pytest.fixture
def product(app):
    return inside(app, factories.product)


@pytest.fixture(autouse=True)
def _nothing_personal_is_left(app, owner, product):
    yield
    for placed in rows(app, Order):
        assert (placed.email, placed.shipping_address, placed.note) == (None, None, "")
    assert {step.note for step in rows(app, OrderEvent)} <= {""}
    assert [rows(app, table) for table in (Address, Cart, IdempotencyKey)] == [[], [], []]
    assert all(session.ended_at for session in rows(app, Session))
    assert only_row(app, User).deleted_at is not None
    inside(app, assert_books_balance)


def place(owner):
    return owner.post("/api/orders", json=BODY, headers={"Idempotency-Key": "a-key"})


def leave(owner):
    return owner.delete("/api/users/me", json={"password": PASSWORD})


@pytest.mark.parametrize("statement", DELETION)
def test_an_order_during_the_deletion_is_refused(app, owner, product, statement):
    fill(owner, product)

    left, placed = interleave(app, lambda: leave(owner), statement, lambda: place(owner))

    assert (left.status_code, placed.status_code) == (204, 401)
    assert rows(app, Order) == []


@pytest.mark.parametrize("statement", ORDER)
def test_a_deletion_during_an_order_erases_the_order_or_prevents_it(app, owner, product, statement):
    fill(owner, product)

    placed, left = interleave(app, lambda: place(owner), statement, lambda: leave(owner))

    assert left.status_code == 204
    assert placed.status_code in ((201, 401) if statement == ORDER[0] else (201,))
    assert len(rows(app, Order)) == (placed.status_code == 201)


def cancel(owner, placed):
    return owner.post(f"/api/orders/{placed['id']}/cancel", json={"note": "Ann Lee moves"})


def test_a_note_during_the_deletion_is_refused(app, owner, product):
    placed = order(owner, product).json

    left, cancelled = interleave(app, lambda: leave(owner), LOCKED, lambda: cancel(owner, placed))

    assert (left.status_code, cancelled.status_code) == (204, 401)
    assert only_row(app, Order).status == "pending"


def test_a_deletion_during_a_cancellation_erases_its_note(app, owner, product):
    placed = order(owner, product).json

    cancelled, left = interleave(
        app, lambda: cancel(owner, placed), "UPDATE orders", lambda: leave(owner)
    )

    assert (cancelled.status_code, left.status_code) == (200, 204)


def test_an_address_during_the_deletion_is_refused(app, owner):
    left, added = interleave(
        app,
        lambda: leave(owner),
        LOCKED,
        lambda: owner.post("/api/users/me/addresses", json=ADDRESS),
    )

    assert (left.status_code, added.status_code) == (204, 401)


def test_a_first_article_during_the_deletion_is_refused(app, owner, product):
    left, filled = interleave(app, lambda: leave(owner), LOCKED, lambda: fill(owner, product))

    assert (left.status_code, filled.status_code) == (204, 401)


def test_a_name_during_the_deletion_is_refused(app, owner):
    left, named = interleave(
        app,
        lambda: leave(owner),
        LOCKED,
        lambda: owner.patch("/api/users/me", json={"first_name": "Ann"}),
    )

    assert (left.status_code, named.status_code) == (204, 401)
    assert only_row(app, User).first_name == ""

"""Requests that come in the middle of others: each shows what a lock is there to prevent."""

import pytest

from app.models import Cart, CartLine, OrderLine
from tests import factories
from tests.integration.interleaving import interleave
from tests.integration.people import inside, login, make_user, rows, signed_in_as
from tests.integration.shopping import fill

pytestmark = pytest.mark.usefixtures("balanced_books")

READ_LINES = "FROM cart_lines JOIN variants"
OWN_LINES, GUESTS_LINES = 1, 2
"""The statements of a merge that read the lines of the account's cart and of the guest's."""


@pytest.fixture
def product(app):
    return inside(app, factories.product, stock=100)


@pytest.fixture
def owner(app):
    """The customer who signs in, with an earlier sign-in on another device."""
    make_user(app)
    return signed_in_as(app)


def place(caller):
    return caller.post("/api/orders", json={"email": "guest@example.com"})


def units(app):
    """Units in orders, and in all carts."""
    tables = (OrderLine, CartLine)
    return tuple(sum(line.quantity for line in rows(app, table)) for table in tables)


@pytest.mark.parametrize("nth", [OWN_LINES, GUESTS_LINES])
def test_a_guest_who_orders_during_a_merge_does_not_have_it_twice(app, owner, anyone, product, nth):
    fill(owner, product, 2)
    fill(anyone, product, 3)

    merged, placed = interleave(app, lambda: login(anyone), READ_LINES, lambda: place(anyone), nth)

    assert (merged.status_code, placed.json.get("code")) == (200, "cart_empty")
    assert units(app) == (0, 5)
    assert len(rows(app, Cart)) == 1


@pytest.mark.parametrize("nth", [OWN_LINES, GUESTS_LINES])
def test_what_a_guest_adds_during_a_merge_is_not_lost(app, owner, anyone, product, nth):
    other = inside(app, factories.product)
    fill(owner, product, 2)
    fill(anyone, product, 3)

    merged, added = interleave(
        app, lambda: login(anyone), READ_LINES, lambda: fill(anyone, other, 4), nth
    )

    assert (merged.status_code, added.status_code) == (200, 201)
    assert owner.get("/api/cart").json["item_count"] == 5
    assert anyone.get("/api/cart").json["item_count"] == 4


@pytest.mark.parametrize("nth", [OWN_LINES, GUESTS_LINES])
def test_what_a_customer_adds_during_a_merge_is_added_to_it(app, owner, anyone, product, nth):
    fill(owner, product, 2)
    fill(anyone, product, 3)

    merged, added = interleave(
        app, lambda: login(anyone), READ_LINES, lambda: fill(owner, product, 4), nth
    )

    assert (merged.status_code, added.status_code) == (200, 201)
    assert added.json["item_count"] == owner.get("/api/cart").json["item_count"] == 9


@pytest.mark.parametrize("nth", [OWN_LINES, GUESTS_LINES])
def test_a_customer_who_orders_during_a_merge_orders_what_came_along(
    app, owner, anyone, product, nth
):
    fill(owner, product, 2)
    fill(anyone, product, 3)

    merged, placed = interleave(app, lambda: login(anyone), READ_LINES, lambda: place(owner), nth)

    assert (merged.status_code, placed.status_code) == (200, 201)
    assert units(app) == (5, 0)


@pytest.mark.parametrize("nth", [OWN_LINES, GUESTS_LINES])
def test_of_two_sign_ins_with_one_cart_the_first_merges_it(app, owner, anyone, product, nth):
    fill(owner, product, 2)
    fill(anyone, product, 3)

    answers = interleave(app, lambda: login(anyone), READ_LINES, lambda: login(anyone), nth)

    assert [answer.status_code for answer in answers] == [200, 200]
    assert units(app) == (0, 5)


def test_a_cart_with_which_two_people_sign_in_goes_to_the_first(app, owner, anyone, product):
    other = make_user(app, email="bob@example.com")
    fill(anyone, product, 3)

    answers = interleave(
        app, lambda: login(anyone), READ_LINES, lambda: login(anyone, other.email), GUESTS_LINES
    )

    assert [answer.status_code for answer in answers] == [200, 200]
    assert owner.get("/api/cart").json["item_count"] == 3
    assert units(app) == (0, 3)


def test_a_first_merge_and_a_first_article_share_one_cart(app, owner, anyone, product):
    fill(anyone, product, 3)

    merged, added = interleave(
        app, lambda: login(anyone), "INSERT INTO carts", lambda: fill(owner, product, 4)
    )

    assert (merged.status_code, added.status_code) == (200, 201)
    assert units(app) == (0, 7)
    assert len(rows(app, Cart)) == 1


def test_nobody_who_is_not_signed_in_merges_a_cart(app, owner, anyone, product):
    fill(anyone, product, 3)

    assert login(anyone, password="wrong").status_code == 401
    assert anyone.get("/api/cart").json["item_count"] == 3
    assert owner.get("/api/cart").json["item_count"] == 0

"""How many statements shopping costs: as many for fifty lines as for one; BEGIN is not counted."""

import pytest

from tests import factories
from tests.integration.shopping import ADDRESS, fill, inside
from tests.integration.test_query_counts import counted

FEW, MANY = 2, 50
KEY = {"Idempotency-Key": "a-key"}
GUEST = {"email": "guest@example.com", "shipping_address": ADDRESS}
CUSTOMER = {"shipping_address": ADDRESS}


@pytest.fixture
def products(app):
    return inside(app, lambda: [factories.product() for _ in range(MANY)])


@pytest.fixture(params=[FEW, MANY])
def shopper(request, anyone, products):
    """A guest with so many lines in the cart."""
    return filled(anyone, products[: request.param])


@pytest.fixture(params=[FEW, MANY])
def account(request, customer, products):
    """A customer with so many lines in the cart."""
    return filled(customer, products[: request.param])


def filled(caller, products):
    for product in products:
        fill(caller, product)
    return caller


def place(app, caller, body, **headers):
    with counted(app) as run:
        response = caller.post("/api/orders", json=body, headers=headers)
    assert response.status_code == 201
    return response, len(run)


def test_a_guests_order_takes_eight_statements(app, shopper):
    assert place(app, shopper, GUEST)[1] == 8


def test_a_key_adds_two_and_seldom_one_that_looks_for_old_ones(app, shopper):
    assert 10 <= place(app, shopper, GUEST, **KEY)[1] <= 11


def test_a_customers_order_adds_one_that_says_who_it_is(app, account):
    assert place(app, account, CUSTOMER)[1] == 9


def test_a_customers_order_with_a_key_takes_eleven_statements_or_twelve(app, account):
    assert 11 <= place(app, account, CUSTOMER, **KEY)[1] <= 12


def test_an_answer_that_is_given_again_takes_two_statements(app, shopper):
    place(app, shopper, GUEST, **KEY)

    with counted(app) as run:
        again = shopper.post("/api/orders", json=GUEST, headers=KEY)

    assert again.headers["Idempotency-Replayed"] == "true"
    assert len(run) == 2


def test_putting_something_into_a_cart_takes_three_statements(app, shopper, products):
    with counted(app) as run:
        assert fill(shopper, products[0]).status_code == 201

    assert len(run) == 3


def test_opening_a_guests_cart_takes_three_and_seldom_one_that_looks_for_old_ones(
    app, anyone, products
):
    with counted(app) as run:
        fill(anyone, products[0])

    assert 3 <= len(run) <= 4


def test_changing_a_line_takes_four_statements(app, shopper):
    item = shopper.get("/api/cart").json["items"][0]["id"]

    with counted(app) as run:
        response = shopper.patch(f"/api/cart/items/{item}", json={"quantity": 3})

    assert response.status_code == 200
    assert len(run) == 4


def test_a_cart_is_read_in_one_statement_and_emptied_in_two(app, shopper):
    with counted(app) as run:
        shopper.get("/api/cart")
        assert len(run) == 1
        run.clear()
        shopper.delete("/api/cart")

    assert len(run) == 2


def test_an_order_is_read_in_two_statements_and_cancelled_in_eight(app, shopper):
    placed = place(app, shopper, GUEST)[0].json
    token = {"X-Order-Token": placed["guest_token"]}

    with counted(app) as run:
        shopper.get(f"/api/orders/{placed['id']}", headers=token)
        assert len(run) == 2
        run.clear()
        cancelled = shopper.post(f"/api/orders/{placed['id']}/cancel", headers=token)

    assert cancelled.json["status"] == "cancelled"
    assert len(run) == 8

"""Carts over HTTP: a customer's, a guest's, and the two made one at login."""

from datetime import timedelta

import pytest

from app.db import cleanup
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.domain.people.buyer import Buyer
from app.errors import Unauthenticated
from app.extensions import db
from app.models import Cart, CartLine, User
from app.services.buying import cart_service
from tests import factories
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import rows
from tests.integration.shopping import change, fill, statements_for

EMPTY = {
    "items": [], "item_count": 0, "subtotal": "0.00", "codes": [], "discounts": [],
    "discount_total": "0.00", "total": "0.00", "currency": "USD", "warnings": [],
}  # fmt: skip


LONG_AGO = timedelta(days=91)


@pytest.fixture
def product(app):
    with app.app_context():
        return factories.product(price=1250, stock=10, name="Mug")


def test_the_cart_of_a_guest_without_a_token_is_empty(anyone):
    assert anyone.get("/api/cart").json == EMPTY


def test_a_new_customers_cart_is_empty(customer):
    response = customer.get("/api/cart")

    assert response.json == EMPTY
    assert response.headers["Cache-Control"] == "no-store"


def test_reading_a_cart_makes_no_row(app, customer, anyone):
    customer.get("/api/cart")
    anyone.get("/api/cart", headers={"X-Cart-Token": "made up"})

    with app.app_context():
        assert factories.count(Cart) == 0


def test_an_article_is_put_into_the_cart_at_todays_price(customer, product):
    response = fill(customer, product, 2)

    variant = product.variants[0]
    assert response.status_code == 201
    assert response.headers["Location"] == "/api/cart"
    assert response.json == {
        "items": [
            {
                "id": response.json["items"][0]["id"],
                "product_id": product.id,
                "variant_id": variant.id,
                "sku": variant.sku,
                "name": "Mug",
                "options": {},
                "quantity": 2,
                "unit_price": "12.50",
                "line_total": "25.00",
                "available": 10,
            }
        ],
        "item_count": 2,
        "subtotal": "25.00",
        "codes": [],
        "discounts": [],
        "discount_total": "0.00",
        "total": "25.00",
        "currency": "USD",
        "warnings": [],
    }
    assert customer.get("/api/cart").json == response.json


@pytest.mark.parametrize("number", ["2.0", "2e0", "0.2e1", "2.000000000000000000000000"])
def test_a_number_without_a_fraction_is_whole_however_it_is_written(customer, product, number):
    body = f'{{"product_id": {product.id}, "quantity": {number}}}'

    response = customer.post("/api/cart/items", data=body, content_type="application/json")

    assert [item["quantity"] for item in response.json["items"]] == [2]


@pytest.mark.parametrize("number", ["2.5", "1e-999999", "1e999999", "2.00000000000000000001"])
def test_any_other_number_is_refused(customer, product, number):
    body = f'{{"product_id": {product.id}, "quantity": {number}}}'

    response = customer.post("/api/cart/items", data=body, content_type="application/json")

    assert (response.status_code, list(response.json["errors"])) == (422, ["quantity"])


def test_quantity_is_one_unless_said(customer, product):
    response = customer.post("/api/cart/items", json={"variant_id": product.variants[0].id})

    assert response.json["item_count"] == 1


def test_the_same_article_adds_up(customer, product):
    fill(customer, product, 2)

    response = fill(customer, product, 3)

    assert [item["quantity"] for item in response.json["items"]] == [5]


def test_items_stand_in_the_order_in_which_they_were_added(app, customer):
    with app.app_context():
        products = [factories.product() for _ in range(3)]
    wanted = [products[2], products[0], products[1]]
    for product in [*wanted, products[0]]:
        fill(customer, product)

    items = customer.get("/api/cart").json["items"]

    assert [item["product_id"] for item in items] == [product.id for product in wanted]


def test_a_guest_gets_a_token_with_the_first_article_only(app, anyone, product):
    first = fill(anyone, product)
    second = fill(anyone, product)

    token = first.headers["X-Cart-Token"]
    assert len(token) >= 43
    assert "X-Cart-Token" not in second.headers
    assert second.json["item_count"] == 2
    with app.app_context():
        assert db.session.scalars(db.select(Cart.token_hash)).one() != token


def test_an_unknown_token_reads_empty_and_gets_a_new_cart(anyone, product):
    headers = {"X-Cart-Token": "unknown"}

    assert anyone.get("/api/cart", headers=headers).json == EMPTY
    response = anyone.post("/api/cart/items", json={"product_id": product.id}, headers=headers)
    assert response.status_code == 201
    assert response.headers["X-Cart-Token"] != "unknown"


@pytest.mark.parametrize("token", ["\xff\xfe", "a" * 5000, "%00", "' OR 1=1"])
def test_any_token_may_be_sent(anyone, token):
    assert anyone.get("/api/cart", headers={"X-Cart-Token": token}).json == EMPTY


def test_an_account_wins_over_a_token(anyone, customer, product):
    fill(anyone, product, 4)

    customer.headers["X-Cart-Token"] = anyone.headers["X-Cart-Token"]
    response = fill(customer, product)

    assert response.json["item_count"] == 1
    assert anyone.get("/api/cart").json["item_count"] == 4


def test_more_than_is_available_is_refused_with_the_shortage(customer, product):
    fill(customer, product, 8)

    response = fill(customer, product, 3)

    variant = product.variants[0]
    assert response.status_code == 409
    assert response.json["code"] == "out_of_stock"
    assert response.json["shortages"] == [
        {"variant_id": variant.id, "sku": variant.sku, "requested": 11, "available": 10}
    ]
    assert customer.get("/api/cart").json["item_count"] == 8


def test_all_that_is_available_fits_into_a_cart(customer, other_customer, product):
    item = fill(customer, product, 2).json["items"][0]

    changed = customer.patch(f"/api/cart/items/{item['id']}", json={"quantity": 10})

    assert (changed.status_code, changed.json["warnings"]) == (200, [])
    assert fill(other_customer, product, 9).status_code == 201
    assert fill(other_customer, product, 1).json["warnings"] == []


def test_a_refused_guest_gets_no_cart(app, anyone, product):
    response = fill(anyone, product, 11)

    assert response.status_code == 409
    assert "X-Cart-Token" not in response.headers
    with app.app_context():
        assert factories.count(Cart) == 0


def test_a_line_holds_a_hundred_thousand_units_and_no_more(app, customer):
    with app.app_context():
        product = factories.product(stock=300_000)

    filled = fill(customer, product, 100_000)
    path = f"/api/cart/items/{filled.json['items'][0]['id']}"
    refused = fill(customer, product, 1)

    assert (filled.status_code, refused.status_code) == (201, 422)
    assert list(refused.json["errors"]) == ["quantity"]
    assert customer.patch(path, json={"quantity": 100_000}).json["item_count"] == 100_000
    assert customer.patch(path, json={"quantity": 100_001}).status_code == 422


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "product_id"),
        ({"quantity": 1}, "product_id"),
        ({"product_id": 1, "quantity": 0}, "quantity"),
        ({"product_id": 1, "quantity": -1}, "quantity"),
        ({"product_id": 1, "quantity": 1.5}, "quantity"),
        ({"product_id": 1, "quantity": True}, "quantity"),
        ({"product_id": 1, "quantity": "2"}, "quantity"),
        ({"product_id": 1, "quantity": 100_001}, "quantity"),
        ({"product_id": 1, "quantity": 2**63}, "quantity"),
        ({"product_id": 2**63}, "product_id"),
        ({"product_id": "1"}, "product_id"),
        ({"product_id": None}, "product_id"),
        ({"variant_id": 0}, "variant_id"),
        ({"product_id": 1, "price": "0.01"}, "price"),
    ],
)
def test_a_body_that_is_wrong_is_refused_by_field(customer, body, field):
    response = customer.post("/api/cart/items", json=body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]


def test_a_product_with_several_variants_needs_one_named(app, customer):
    with app.app_context():
        product = factories.product_with_variants(
            [{"options": {"Size": "S"}}, {"options": {"Size": "M"}}]
        )

    refused = fill(customer, product)
    small = product.variants[0]
    both = {"product_id": product.id, "variant_id": small.id}

    assert refused.status_code == 422
    assert refused.json["code"] == "variant_required"
    assert customer.post("/api/cart/items", json=both).json["items"][0]["options"] == {"Size": "S"}


def test_a_variant_has_to_be_named_although_the_other_ones_line_is_full(app, customer):
    with app.app_context():
        product = factories.product_with_variants(
            [{"options": {"Size": "S"}, "stock": 300_000}, {"options": {"Size": "M"}}]
        )
    full = {"variant_id": product.variants[0].id, "quantity": 100_000}
    assert customer.post("/api/cart/items", json=full).status_code == 201

    refused = fill(customer, product)

    assert (refused.status_code, refused.json["code"]) == (422, "variant_required")
    assert customer.get("/api/cart").json["item_count"] == 100_000


def test_a_product_with_one_active_variant_needs_none_named(app, customer):
    with app.app_context():
        product = factories.product_with_variants(
            [
                {"options": {"Size": "S"}, "is_active": False},
                {"options": {"Size": "M"}},
            ]
        )

    assert fill(customer, product).json["items"][0]["options"] == {"Size": "M"}


def test_a_variant_of_another_product_is_refused(app, customer, product):
    with app.app_context():
        other = factories.product()
    body = {"product_id": product.id, "variant_id": other.variants[0].id}

    response = customer.post("/api/cart/items", json=body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["variant_id"]


@pytest.mark.parametrize("field", ["product_id", "variant_id"])
def test_what_does_not_exist_cannot_be_added(customer, field):
    assert customer.post("/api/cart/items", json={field: 10**15}).status_code == 404


@pytest.mark.parametrize("table", ["product", "variant"])
@pytest.mark.parametrize("field", ["product_id", "variant_id"])
def test_what_is_not_offered_cannot_be_added(app, customer, product, table, field):
    variant = product.variants[0]
    change(app, product if table == "product" else variant, is_active=False)
    ids = {"product_id": product.id, "variant_id": variant.id}

    assert customer.post("/api/cart/items", json={field: ids[field]}).status_code == 404


@pytest.mark.parametrize("method", ["patch", "put"])
def test_a_quantity_is_set(customer, product, method):
    item = fill(customer, product, 2).json["items"][0]

    response = getattr(customer, method)(f"/api/cart/items/{item['id']}", json={"quantity": 7})

    assert response.status_code == 200
    assert response.json["item_count"] == 7


def test_a_quantity_beyond_the_stock_is_refused(customer, product):
    item = fill(customer, product, 2).json["items"][0]

    response = customer.patch(f"/api/cart/items/{item['id']}", json={"quantity": 11})

    assert response.status_code == 409
    assert response.json["shortages"][0]["requested"] == 11
    assert customer.get("/api/cart").json["item_count"] == 2


@pytest.mark.parametrize("body", [{}, {"quantity": -1}, {"quantity": 100_001}, {"quantity": None}])
def test_a_quantity_has_its_limits(customer, product, body):
    item = fill(customer, product).json["items"][0]

    response = customer.patch(f"/api/cart/items/{item['id']}", json=body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["quantity"]


def test_quantity_zero_removes_the_line(customer, product):
    item = fill(customer, product).json["items"][0]

    response = customer.patch(f"/api/cart/items/{item['id']}", json={"quantity": 0})

    assert response.status_code == 200
    assert response.json == EMPTY


def test_a_line_is_removed(customer, product):
    item = fill(customer, product).json["items"][0]

    response = customer.delete(f"/api/cart/items/{item['id']}")

    assert response.status_code == 200
    assert response.json == EMPTY
    assert customer.delete(f"/api/cart/items/{item['id']}").status_code == 404


def test_a_cart_is_emptied(customer, product):
    fill(customer, product)

    response = customer.delete("/api/cart")

    assert (response.status_code, response.data) == (204, b"")
    assert "Content-Type" not in response.headers
    assert customer.get("/api/cart").json == EMPTY
    assert customer.delete("/api/cart").status_code == 204


def test_somebody_without_a_cart_can_empty_it(anyone):
    assert anyone.delete("/api/cart").status_code == 204


def test_items_of_other_carts_are_not_found(customer, other_customer, anyone, product):
    item = fill(customer, product).json["items"][0]
    fill(other_customer, product)
    path = f"/api/cart/items/{item['id']}"

    assert other_customer.patch(path, json={"quantity": 0}).status_code == 404
    assert anyone.delete(path).status_code == 404
    assert customer.get("/api/cart").json["item_count"] == 1


@pytest.mark.parametrize(
    "item_id", ["abc", "-1", "0", "1.5", str(2**63), "9" * 5000, "%00", "%E2%91%A0"]
)
def test_ids_that_are_no_ids_are_not_found(customer, product, item_id):
    fill(customer, product)

    response = customer.patch(f"/api/cart/items/{item_id}", json={"quantity": 1})

    assert response.status_code == 404
    assert response.mimetype == "application/problem+json"


def test_a_broken_bearer_is_refused_although_guests_are_welcome(anyone):
    response = anyone.get("/api/cart", headers={"Authorization": "Bearer nonsense"})

    assert response.status_code == 401
    assert "WWW-Authenticate" in response.headers


def warnings(caller):
    return [warning["code"] for warning in caller.get("/api/cart").json["warnings"]]


def test_a_cart_warns_when_less_is_left_than_wanted(app, customer, product):
    fill(customer, product, 8)
    change(app, product.variants[0], allocated=5)

    cart = customer.get("/api/cart").json

    assert cart["items"][0]["available"] == 5
    assert [(w["code"], w["variant_id"]) for w in cart["warnings"]] == [
        ("insufficient_stock", product.variants[0].id)
    ]


def test_a_cart_warns_when_nothing_is_left(app, customer, product):
    fill(customer, product)
    change(app, product.variants[0], allocated=10)

    assert warnings(customer) == ["out_of_stock"]


@pytest.mark.parametrize("table", ["product", "variant"])
def test_lines_of_what_is_gone_stay_visible_with_a_warning(app, customer, product, table):
    fill(customer, product)
    change(app, product if table == "product" else product.variants[0], is_active=False)

    cart = customer.get("/api/cart").json

    assert [(item["name"], item["available"]) for item in cart["items"]] == [("Mug", 0)]
    assert [warning["code"] for warning in cart["warnings"]] == ["out_of_stock"]


@pytest.mark.parametrize(
    ("price", "subtotal"), [(1300, "26.00"), (1249, "24.98"), (0, "0.00")], ids=str
)
@pytest.mark.parametrize("way", ["changed", "added to"])
def test_a_cart_warns_of_a_new_price_until_its_line_is_written_again(
    app, customer, product, price, subtotal, way
):
    item = fill(customer, product, 2).json["items"][0]
    change(app, product.variants[0], price=price)

    cart = customer.get("/api/cart").json
    if way == "changed":
        customer.patch(f"/api/cart/items/{item['id']}", json={"quantity": 1})
    else:
        fill(customer, product)

    assert [warning["code"] for warning in cart["warnings"]] == ["price_changed"]
    assert cart["subtotal"] == subtotal
    assert warnings(customer) == []


@pytest.mark.parametrize("left", [3, 2, 1, 0])
def test_a_cart_warns_from_one_unit_too_few(app, customer, product, left):
    fill(customer, product, 2)
    change(app, product.variants[0], allocated=10 - left)

    told = {3: [], 2: [], 1: ["insufficient_stock"], 0: ["out_of_stock"]}
    assert warnings(customer) == told[left]


def test_a_cart_has_room_for_so_many_lines(app, customer, product, monkeypatch):
    with app.app_context():
        other = factories.product()
    monkeypatch.setattr(cart_service, "MAX_LINES", 1)
    fill(customer, product)

    response = fill(customer, other)

    assert response.status_code == 409
    assert response.json["code"] == "cart_full"
    assert fill(customer, product).status_code == 201


def test_reading_a_cart_takes_as_many_statements_for_many_lines_as_for_one(app, customer, product):
    fill(customer, product)
    for_one = statements_for(app, lambda: customer.get("/api/cart"))
    with app.app_context():
        more = [factories.product() for _ in range(9)]
    for each in more:
        fill(customer, each)

    for_ten = statements_for(app, lambda: customer.get("/api/cart"))

    assert for_ten == for_one


def merge(app, guest, customer):
    with app.app_context():
        token = guest.headers["X-Cart-Token"]
        in_transaction(lambda: cart_service.merge_guest_cart(token, customer.user_id))


def quantities(caller):
    return {i["product_id"]: i["quantity"] for i in caller.get("/api/cart").json["items"]}


def test_a_guests_cart_becomes_the_customers(app, anyone, customer, product):
    fill(anyone, product, 3)

    merge(app, anyone, customer)

    assert quantities(customer) == {product.id: 3}
    assert quantities(anyone) == {}
    with app.app_context():
        assert (factories.count(Cart), factories.count(CartLine)) == (1, 1)


def test_guests_carts_that_nobody_came_back_to_go_when_others_are_opened(app, customer, product):
    fill(customer, product)
    fill(Caller(app), product)
    for cart in rows(app, Cart):
        change(app, cart, updated_at=utc_now() - LONG_AGO)

    for _ in range(cleanup.INTERVAL):
        fill(Caller(app), product)

    kept = rows(app, Cart)
    assert [cart.user_id for cart in kept] == [customer.user_id, *[None] * cleanup.INTERVAL]
    assert all(cart.updated_at > utc_now() - LONG_AGO for cart in kept[1:])
    assert len(rows(app, CartLine)) == 1 + cleanup.INTERVAL


def test_an_account_that_was_closed_meanwhile_gets_no_cart(app, customer, product):
    late = Buyer(Actor("customer", customer.user_id))
    change(app, User(id=customer.user_id), is_active=False)

    with app.app_context(), pytest.raises(Unauthenticated):
        in_transaction(lambda: cart_service.add_item(late, 1, product_id=product.id))

    assert rows(app, Cart) == []


def test_merging_adds_the_same_variant_up_and_keeps_the_rest(app, anyone, customer, product):
    with app.app_context():
        mine, theirs = factories.product(), factories.product()
    fill(customer, product, 2)
    fill(customer, mine)
    fill(anyone, product, 3)
    fill(anyone, theirs)

    merge(app, anyone, customer)

    assert quantities(customer) == {product.id: 5, mine.id: 1, theirs.id: 1}


def test_merging_stops_at_the_stock(app, anyone, customer, product):
    fill(customer, product, 6)
    fill(anyone, product, 7)

    merge(app, anyone, customer)

    assert quantities(customer) == {product.id: 10}


def test_merging_takes_nothing_from_what_the_customer_had(app, anyone, customer, product):
    fill(customer, product, 6)
    fill(anyone, product, 2)
    change(app, product.variants[0], allocated=7)

    merge(app, anyone, customer)

    assert quantities(customer) == {product.id: 6}


def test_merging_stops_at_the_most_that_a_line_holds(app, anyone, customer):
    with app.app_context():
        product = factories.product(stock=500_000)
    fill(customer, product, 90_000)
    fill(anyone, product, 90_000)

    merge(app, anyone, customer)

    assert quantities(customer) == {product.id: 100_000}


def test_merging_an_unknown_token_changes_nothing(app, customer, product):
    fill(customer, product)

    merge(app, Caller(app, **{"X-Cart-Token": "unknown"}), customer)

    assert quantities(customer) == {product.id: 1}


def test_a_token_is_dead_after_the_merge(app, anyone, customer, product):
    fill(anyone, product)
    dead = anyone.headers["X-Cart-Token"]
    merge(app, anyone, customer)

    response = fill(anyone, product)

    assert response.headers["X-Cart-Token"] != dead
    merge(app, Caller(app, **{"X-Cart-Token": dead}), signed_in(app))
    assert quantities(customer) == {product.id: 1}

"""Ids and tokens of others, in bodies, queries, headers and keys: of no use, and told as nothing.

OWASP API Security Top 10 (2023), API1 (object level) and API3 (property level authorization).
"""

import pytest

from app.models import Cart, CartLine, Order, User
from tests import factories
from tests.integration.access.world import SECRET_STREET
from tests.integration.conftest import Caller
from tests.integration.people import inside, rows
from tests.integration.shopping import ADDRESS, fill, guest_order


@pytest.fixture
def b(world):
    """Customer B, signed in."""
    return world.caller("other")


def reads_nothing_of_a(world, answer):
    return not [word for word in world.secrets() if word in answer.text]


@pytest.mark.parametrize("extra", [{}, {"shipping_address": ADDRESS}])
def test_an_order_goes_to_no_address_of_somebody_elses_book(app, world, b, extra):
    answer = b.post("/api/orders", json={"address_id": world.address_id, **extra})

    assert answer.status_code == 422
    assert list(answer.json["errors"]) == ["address_id"]
    assert len(rows(app, Order)) == 1


def test_an_address_of_somebody_else_and_one_that_is_not_there_are_told_alike(world, b):
    theirs = b.post("/api/orders", json={"address_id": world.address_id}).json
    nobodys = b.post("/api/orders", json={"address_id": 999_999}).json

    assert {**theirs, "request_id": ""} == {**nobodys, "request_id": ""}


@pytest.mark.parametrize(
    "path",
    ["/api/orders/{number}", "/api/users/me/addresses/{address}"],
)
def test_a_thing_of_somebody_else_and_one_that_is_not_there_are_told_alike(world, b, path):
    theirs = b.get(path.format(number=world.order_number, address=world.address_id))
    nobodys = b.get(path.format(number="SW-0000-0000-0000", address=999_999))

    assert theirs.status_code == nobodys.status_code == 404
    assert {**theirs.json, "request_id": ""} == {**nobodys.json, "request_id": ""}


def test_a_guest_has_no_address_book_to_order_from(app, world, anyone):
    fill(anyone, world.product)

    answer = anyone.post(
        "/api/orders", json={"address_id": world.address_id, "email": "guest@example.com"}
    )

    assert answer.status_code == 422
    assert reads_nothing_of_a(world, answer)


@pytest.mark.parametrize(
    ("query", "status"),
    [("user_id={owner}", 403), ("user_id={owner}&status=pending", 403), ("q={number}", 200),
     ("q={email}", 200), ("q=SW-", 200), ("user_id={owner}&cursor=", 403),
     ("from=2000-01-01", 200)],
)  # fmt: skip
def test_no_query_shows_orders_of_somebody_else(world, b, query, status):
    filled = query.format(owner=world.owner_id, number=world.order_number, email=world.email)

    answer = b.get(f"/api/orders?{filled}")

    assert answer.status_code == status
    assert answer.json.get("items", []) == []
    assert reads_nothing_of_a(world, answer)


@pytest.mark.parametrize("query", ["user_id={owner}", "user_id={owner}&page=1", "owner={owner}"])
@pytest.mark.parametrize("path", ["/api/users/me", "/api/users/me/addresses", "/api/cart"])
def test_no_query_makes_my_own_things_somebody_elses(world, b, path, query):
    answer = b.get(f"{path}?{query.format(owner=world.owner_id)}")

    assert (answer.status_code, answer.json["code"]) == (422, "unknown_parameter")
    assert reads_nothing_of_a(world, answer)


def test_parameters_that_would_give_rights_are_unknown(world, b):
    answer = b.get("/api/orders?role=admin&all=true")

    assert (answer.status_code, answer.json["code"]) == (422, "unknown_parameter")
    assert reads_nothing_of_a(world, answer)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/api/users/me", {"id": 1}),
        ("PATCH", "/api/users/me", {"role": "admin"}),
        ("PATCH", "/api/users/me", {"email": "taken@example.com"}),
        ("POST", "/api/auth/register", {"email": "c@example.com", "password": "fine phrase", "id": 1}),
        ("POST", "/api/auth/register", {"email": "c@example.com", "password": "fine phrase", "role": "admin"}),
        ("POST", "/api/users/me/addresses", {**ADDRESS, "user_id": 1}),
        ("POST", "/api/users/me/addresses", {**ADDRESS, "id": 1}),
        ("POST", "/api/cart/items", {"product_id": 1, "cart_id": 1}),
        ("POST", "/api/cart/items", {"product_id": 1, "unit_price": "0.01"}),
        ("POST", "/api/orders", {"user_id": 1}),
        ("POST", "/api/orders", {"total": "0.01"}),
        ("POST", "/api/orders", {"status": "delivered"}),
        ("POST", "/api/orders", {"shipping_address": {**ADDRESS, "user_id": 1}}),
    ],
)  # fmt: skip
def test_a_body_cannot_name_whose_it_is_or_what_it_costs(app, world, b, method, path, body):
    before = world.rows()

    answer = b.call(method, path, json=body)

    assert answer.status_code == 422
    assert world.rows() == before


def test_staff_edit_no_variant_of_another_product_through_this_one(app, world):
    other = inside(app, factories.product)
    stolen = other.variants[0].id
    admin = world.caller("admin")
    path = f"/api/products/{world.product.id}"
    before = world.rows()

    edited = admin.patch(path, json={"variants": [{"id": stolen, "price": "0.01", "stock": 1}]})
    moved = admin.post(f"{path}/stock", json={"variant_id": stolen, "delta": 1, "reason": "x"})
    read = admin.get(f"{path}/stock?variant_id={stolen}")

    assert (edited.status_code, moved.status_code) == (422, 422)
    assert read.json["items"] == []
    assert world.rows() == before


def test_a_guest_order_is_opened_by_its_own_token_alone(app, world, b):
    first, second = Caller(app), Caller(app)
    mine, theirs = (guest_order(guest, world.product) for guest in (first, second))

    crossed = first.get(f"/api/orders/{theirs['number']}")
    cancelled = first.post(f"/api/orders/{theirs['number']}/cancel")
    of_a_customer = first.get(f"/api/orders/{world.order_number}")
    signed_in = b.get(f"/api/orders/{mine['number']}")

    answers = (crossed, cancelled, of_a_customer, signed_in)
    assert [answer.status_code for answer in answers] == [404] * 4
    assert first.get(f"/api/orders/{mine['number']}").status_code == 200


def test_a_cart_token_opens_no_customers_cart_and_an_account_wins_over_it(app, world, anyone, b):
    fill(anyone, world.product, 3)
    token = anyone.headers["X-Cart-Token"]

    mine = b.get("/api/cart", headers={"X-Cart-Token": token}).json
    line = anyone.get("/api/cart").json["items"][0]["id"]
    changed = b.patch(
        f"/api/cart/items/{line}", json={"quantity": 9}, headers={"X-Cart-Token": token}
    )

    assert mine["item_count"] == 1
    assert changed.status_code == 404
    assert anyone.get("/api/cart").json["item_count"] == 3


def test_a_guest_reaches_no_line_of_another_cart(app, world, anyone):
    fill(anyone, world.product)

    answers = [
        anyone.patch(f"/api/cart/items/{world.item_id}", json={"quantity": 0}),
        anyone.delete(f"/api/cart/items/{world.item_id}"),
    ]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert world.caller("owner").get("/api/cart").json["item_count"] == 1
    assert len(rows(app, Cart)) == 4
    assert len(rows(app, CartLine)) == 4


def test_the_idempotency_key_of_somebody_else_replays_nothing(world, b):
    key = {"Idempotency-Key": "the same key"}
    owner = world.caller("owner")
    first = owner.post("/api/orders", json={"address_id": world.address_id}, headers=key)

    answer = b.post("/api/orders", json={}, headers=key)

    assert (first.status_code, answer.status_code) == (201, 201)
    assert "Idempotency-Replayed" not in answer.headers
    assert answer.json["number"] != first.json["number"]
    assert SECRET_STREET not in answer.text


def test_the_cookie_of_the_pages_opens_no_door_of_the_api(app, world):
    client = app.test_client()
    name = app.config["JWT_ACCESS_COOKIE_NAME"]
    for kind in ("access_token", "refresh_token", "page_token"):
        client.set_cookie(name, world.tokens["admin"][kind])

        assert client.get("/api/users").status_code == 401
        assert client.delete(f"/api/products/{world.product.id}").status_code == 401


def test_a_token_for_the_pages_is_no_bearer(world):
    token = world.tokens["admin"]["page_token"]

    answer = Caller(world.app, Authorization=f"Bearer {token}").get("/api/users")

    assert answer.status_code == 401


@pytest.mark.parametrize(
    "user_id", ["0", "-1", "1.0", "1e0", "01", "%31", "me/../1", "9223372036854775808"]
)
def test_ids_in_other_spellings_lead_nowhere_else(app, world, b, user_id):
    answer = b.get(f"/api/users/{user_id}")

    assert answer.status_code in (403, 404)
    assert reads_nothing_of_a(world, answer)
    assert len(rows(app, User)) == 4

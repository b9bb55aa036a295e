"""Promotions in carts, quotes and orders: what they take off, and that their limits hold."""

import pytest

from app.models import CartCode, Order, Redemption
from tests import factories
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import at_once, rows
from tests.integration.pricing.shop import created, method, to
from tests.integration.pricing.test_promotions_api import promotion
from tests.integration.pricing.test_quotes import quote_and_order
from tests.integration.shopping import fill, order

CODES, CART, ORDERS = "/api/cart/codes", "/api/cart", "/api/orders"


@pytest.fixture
def mug(app):
    with app.app_context():
        return factories.product(price=1000, stock=1000, name="Mug")


def code(admin, text="WELCOME10", limit=None, **fields):
    """A promotion that needs a code, with one."""
    offer = promotion(admin, needs_code=True, **fields)
    path = f"/api/promotions/{offer['id']}/codes"
    created(admin.post(path, json={"code": text, "limit_total": limit}))
    return offer


def enter(caller, text="WELCOME10"):
    return caller.post(CODES, json={"code": text})


def test_a_code_takes_its_part_off_cart_quote_and_order(admin, customer, mug):
    tenth = code(admin)
    fill(customer, mug, 3)
    cart = enter(customer, " welcome10 ").json
    assert cart["codes"] == [{"code": "welcome10", "applied": True, "reason": None}]
    assert cart["discounts"] == [
        {"promotion_id": tenth["id"], "name": "Tenth", "code": "welcome10",
         "kind": "percentage", "amount": "3.00"}
    ]  # fmt: skip
    assert (cart["subtotal"], cart["discount_total"], cart["total"]) == ("30.00", "3.00", "27.00")
    placed = quote_and_order(customer)
    assert placed["discounts"] == cart["discounts"]
    assert placed["items"][0]["discount_total"] == "3.00"
    assert admin.get(f"/api/promotions/{tenth['id']}").json["used"] == 1
    assert customer.get(CART).json["codes"] == []


def test_a_code_is_removed(admin, customer, mug):
    code(admin)
    fill(customer, mug)
    enter(customer)
    assert customer.delete(f"{CODES}/Welcome10").json["total"] == "10.00"
    assert customer.delete(f"{CODES}/Welcome10").status_code == 404


@pytest.mark.parametrize("text", ["%00", "x" * 3000, "%0A", "%ED%A0%80", "e" + "%CC%81" * 400])
def test_a_path_that_names_no_code_is_not_found(admin, customer, mug, text):
    fill(customer, mug)
    assert customer.delete(f"{CODES}/{text}").status_code == 404
    path = f"/api/promotions/{promotion(admin)['id']}/codes/{text}"
    assert admin.delete(path).status_code == 404


def test_what_is_no_code_for_this_cart_is_refused_with_its_reason(app, admin, customer, mug):
    code(admin, "GONE", is_active=False)
    code(admin, "LATER", starts_at="2090-01-01")
    code(admin, "OVER", ends_at="2020-01-01")
    code(admin, "LARGE", min_subtotal="500.00")
    fill(customer, mug)
    words = {
        "NONE": (422, "code_unknown"), "GONE": (422, "code_unknown"),
        "LATER": (422, "code_unknown"), "OVER": (422, "code_expired"),
        "LARGE": (422, "code_not_applicable"),
    }  # fmt: skip
    for text, expected in words.items():
        answer = enter(customer, text)
        assert (answer.status_code, answer.json["code"]) == expected
    assert rows(app, CartCode) == []
    assert enter(Caller(app)).json["code"] == "cart_empty"


def test_a_cart_has_room_for_five_codes(admin, customer, mug):
    fill(customer, mug)
    for number in range(6):
        code(admin, f"C{number}", priority=number)
        answer = enter(customer, f"C{number}")
    assert (answer.status_code, answer.json["code"]) == (422, "too_many_codes")
    assert enter(customer, "c0").status_code == 200


def test_codes_cannot_be_guessed(app, customer, mug):
    fill(customer, mug)
    answers = [enter(customer, f"GUESS{number}").status_code for number in range(21)]
    assert answers == [422] * 20 + [429]
    other = signed_in(app)
    fill(other, mug)
    assert enter(other, "GUESS").status_code == 422


@pytest.mark.parametrize(
    ("change_of", "word"),
    [({"is_active": False}, "code_unknown"), ({"ends_at": "2020-01-01"}, "code_expired")],
)
def test_a_code_that_ended_meanwhile_refuses_the_order_until_it_is_removed(
    admin, customer, mug, change_of, word
):
    tenth = code(admin, starts_at="2019-01-01")
    fill(customer, mug)
    enter(customer)
    admin.patch(f"/api/promotions/{tenth['id']}", json=change_of)
    assert customer.get(CART).json["codes"][0]["reason"] == word
    refused = customer.post(ORDERS, json={})
    assert (refused.status_code, refused.json["code"]) == (409, word)
    customer.delete(f"{CODES}/WELCOME10")
    assert customer.post(ORDERS, json={}).json["total"] == "10.00"


def test_a_code_whose_conditions_the_cart_no_longer_meets_is_ignored(app, admin, customer, mug):
    code(admin, min_quantity=2)
    fill(customer, mug, 2)
    item = enter(customer).json["items"][0]
    cart = customer.patch(f"/api/cart/items/{item['id']}", json={"quantity": 1}).json
    assert cart["codes"] == [
        {"code": "WELCOME10", "applied": False, "reason": "code_not_applicable"}
    ]
    assert customer.post(ORDERS, json={}).json["total"] == "10.00"
    assert rows(app, Redemption) == []


def test_one_that_excludes_others_applies_alone(admin, customer, mug):
    code(admin, "SMALL", value="5")
    code(admin, "BIG", value="50", exclusive=True, priority=5)
    fill(customer, mug)
    enter(customer, "SMALL")
    cart = enter(customer, "BIG").json
    assert cart["total"] == "5.00"
    assert [(row["code"], row["reason"]) for row in cart["codes"]] == [
        ("SMALL", "code_excluded"), ("BIG", None),
    ]  # fmt: skip


def test_automatic_promotions_find_their_articles(app, admin, customer, mug):
    with app.app_context():
        above = factories.category()
        below = factories.category(parent_id=above.id)
        lamp = factories.product(price=2000, category_id=below.id)
    promotion(admin, name="Lamps", category_ids=[above.id], value="50")
    promotion(admin, name="Later", starts_at="2090-01-01", value="90")
    fill(customer, mug)
    assert customer.get(CART).json["discounts"] == []
    fill(customer, lamp)
    cart = customer.get(CART).json
    assert [(row["name"], row["amount"]) for row in cart["discounts"]] == [("Lamps", "10.00")]
    assert quote_and_order(customer)["total"] == "20.00"


def test_a_promotion_whose_articles_are_gone_is_about_nothing(app, admin, customer, mug):
    with app.app_context():
        empty = factories.category()
    promotion(admin, category_ids=[empty.id])
    assert admin.delete(f"/api/categories/{empty.id}").status_code == 204
    fill(customer, mug)
    assert customer.get(CART).json["discounts"] == []


def test_free_shipping_takes_off_the_shipping_that_is_chosen(admin, customer, mug):
    parcel = method(admin, "DE", price="4.95")
    promotion(admin, name="Free", kind="free_shipping", value=None, min_subtotal="20.00")
    fill(customer, mug, 2)
    placed = quote_and_order(customer, shipping_address=to("DE"), shipping_method_id=parcel["id"])
    assert (placed["shipping_total"], placed["discount_total"]) == ("4.95", "4.95")
    assert placed["total"] == "20.00"


def test_buy_two_get_one(admin, customer, mug):
    sets = {"kind": "buy_x_get_y", "value": None, "buy_quantity": 2, "get_quantity": 1}
    promotion(admin, name="Three for two", max_sets=2, **sets)
    fill(customer, mug, 10)
    assert quote_and_order(customer)["discount_total"] == "20.00"


def test_a_limit_ends_a_code_and_cancelling_frees_it(app, admin, customer, mug):
    offer = code(admin, limit_total=1)
    placed = order_with_code(customer, mug).json
    assert placed["total"] == "9.00"
    fill(customer, mug)
    refused = enter(customer)
    assert (refused.status_code, refused.json["code"]) == (409, "code_used_up")
    customer.post(f"{ORDERS}/{placed['number']}/cancel")
    assert rows(app, Redemption) == []
    assert admin.get(f"/api/promotions/{offer['id']}").json["used"] == 0
    assert enter(customer).status_code == 200
    assert customer.post(ORDERS, json={}).json["total"] == "9.00"


def order_with_code(caller, product, text="WELCOME10", **body):
    fill(caller, product)
    enter(caller, text)
    return caller.post(ORDERS, json=body)


def test_a_customer_uses_a_code_once_whatever_the_account(app, admin, customer, mug):
    code(admin, limit_per_customer=1)
    placed = order_with_code(customer, mug).json
    fill(customer, mug)
    assert enter(customer).json["code"] == "code_used_up"
    customer.delete(CART)
    guest = Caller(app)
    refused = order_with_code(guest, mug, email=placed["email"].upper())
    assert (refused.status_code, refused.json["code"]) == (409, "code_used_up")
    for address in ("else@example.com", "third@example.com"):  # guests are not one customer
        assert order_with_code(Caller(app), mug, email=address).json["total"] == "9.00"


def test_an_automatic_promotion_past_its_limit_just_stops(admin, customer, mug):
    promotion(admin, limit_total=1)
    totals = [order(customer, mug).json["total"] for _ in range(2)]
    assert totals == ["9.00", "10.00"]


def test_a_limit_of_ten_is_ten(app, admin, mug):
    code(admin, limit=10)
    callers = [signed_in(app) for _ in range(11)]
    for caller in callers:
        fill(caller, mug)
        enter(caller)
    answers = [caller.post(ORDERS, json={}).status_code for caller in callers]
    assert answers == [201] * 10 + [409]


@pytest.mark.races
@pytest.mark.parametrize("kind", ["code", "promotion"])
def test_buyers_at_the_same_time_use_a_limit_once(app, admin, mug, kind):
    limits = {"limit": 3} if kind == "code" else {"limit_total": 3}
    offer = code(admin, **limits)
    callers = [signed_in(app) for _ in range(8)]
    for caller in callers:
        fill(caller, mug)
        assert enter(caller).status_code == 200
    answers = at_once([lambda c=caller: c.post(ORDERS, json={}) for caller in callers])
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 3 + [409] * 5
    assert {answer.json.get("code", "code_used_up") for answer in answers} == {"code_used_up"}
    assert (
        len(rows(app, Redemption)) == admin.get(f"/api/promotions/{offer['id']}").json["used"] == 3
    )
    assert {row.discount_total for row in rows(app, Order)} == {100}


@pytest.mark.races
def test_one_customer_at_the_same_time_uses_a_code_once(app, admin, mug):
    code(admin, limit_per_customer=1)
    guests = [Caller(app) for _ in range(4)]
    for guest in guests:
        fill(guest, mug)
        enter(guest)
    body = {"email": "one@example.com"}
    answers = at_once([lambda g=guest: g.post(ORDERS, json=body) for guest in guests])
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_a_guests_codes_come_along_at_sign_in(app, admin, mug):
    code(admin)
    guest = Caller(app)
    fill(guest, mug)
    enter(guest)
    with app.app_context():
        user = factories.user()
    body = {"email": user.email, "password": factories.PASSWORD}
    tokens = guest.post("/api/auth/login", json=body).json
    owner = Caller(app, Authorization=f"Bearer {tokens['access_token']}")
    assert owner.get(CART).json["total"] == "9.00"


def test_a_promotion_that_is_withdrawn_stays_in_the_orders(app, admin, customer, mug):
    tenth = promotion(admin)
    placed = order(customer, mug).json
    assert admin.delete(f"/api/promotions/{tenth['id']}").status_code == 204
    assert customer.get(f"{ORDERS}/{placed['number']}").json["discounts"] == placed["discounts"]
    assert order(customer, mug).json["total"] == "10.00"


def test_a_cart_that_is_too_large_to_order_still_shows_its_discounts(
    admin, customer, mug, monkeypatch
):
    promotion(admin)
    fill(customer, mug)
    monkeypatch.setattr("app.services.buying.cart_service.MAX_LINES", 0)
    assert customer.get(CART).json["total"] == "9.00"
    assert customer.post(ORDERS, json={}).json["code"] == "cart_too_large"


def test_a_quote_counts_what_the_accounts_address_used_as_a_guest(app, admin, mug):
    promotion(admin, limit_per_customer=1)
    with app.app_context():
        user, token = factories.user_with_token()
    guest = Caller(app)
    fill(guest, mug)
    assert guest.post(ORDERS, json={"email": user.email}).json["total"] == "9.00"
    owner = Caller(app, Authorization=f"Bearer {token}")
    fill(owner, mug)
    assert owner.get(CART).json["total"] == "10.00"
    assert quote_and_order(owner)["total"] == "10.00"


def test_sign_in_brings_no_more_codes_than_a_cart_has_room_for(app, admin, mug):
    for number in range(10):
        code(admin, f"C{number}", name=f"P{number}", value="1")
    with app.app_context():
        user, token = factories.user_with_token()
    owner, guest = Caller(app, Authorization=f"Bearer {token}"), Caller(app)
    for caller, numbers in ((owner, range(3)), (guest, range(2, 7))):
        fill(caller, mug)
        for number in numbers:
            assert enter(caller, f"C{number}").status_code == 200
    guest.post("/api/auth/login", json={"email": user.email, "password": factories.PASSWORD})
    shown = [row["code"] for row in owner.get(CART).json["codes"]]
    assert sorted(shown) == ["C0", "C1", "C2", "C3", "C4"]


def test_a_promotion_can_be_ended_after_an_article_of_it_is_deleted(app, admin, mug):
    with app.app_context():
        other = factories.product()
    offer = promotion(admin, product_ids=[other.id])
    path = f"/api/promotions/{offer['id']}"
    assert admin.delete(f"/api/products/{other.id}").status_code == 204
    assert admin.patch(path, json={"is_active": False}).status_code == 200
    assert admin.patch(path, json={"product_ids": [other.id]}).status_code == 200
    refused = admin.patch(path, json={"product_ids": [other.id, 10**15]})
    assert list(refused.json["errors"]) == ["product_ids"]


def test_another_kind_forgets_what_was_gained(app, admin, customer, mug):
    with app.app_context():
        category = factories.category()
    sets = {"kind": "buy_x_get_y", "value": None, "buy_quantity": 1, "get_quantity": 1}
    gained = {"product_ids": [mug.id], "get_category_ids": [category.id]}
    offer = promotion(admin, **sets, **gained)
    assert admin.delete(f"/api/categories/{category.id}").status_code == 204
    fill(customer, mug, 2)
    assert customer.get(CART).json["discounts"] == []
    changed = admin.patch(
        f"/api/promotions/{offer['id']}", json={"kind": "percentage", "value": "10"}
    )
    assert changed.status_code == 200
    assert customer.get(CART).json["total"] == "18.00"


def test_a_line_gets_a_promotion_once_after_any_number_of_edits(app, admin, customer):
    with app.app_context():
        product = factories.product(price=6715, stock=9)
    promotion(admin, value="15")
    item = fill(customer, product).json["items"][0]
    for quantity in (3, 2, 1):
        cart = customer.patch(f"/api/cart/items/{item['id']}", json={"quantity": quantity}).json
    assert cart["total"] == "57.08"
    assert quote_and_order(customer)["total"] == "57.08"


def test_one_network_can_guess_a_hundred_codes(app, mug):
    answers = []
    for _ in range(6):
        caller = Caller(app)
        fill(caller, mug)
        answers += [enter(caller, f"G{number}").status_code for number in range(18)]
    assert answers == [422] * 100 + [429] * 8


@pytest.mark.races
def test_thirty_buyers_use_a_single_use_code_once(app, admin, mug):
    code(admin, limit=1)
    callers = [signed_in(app) for _ in range(30)]
    for caller in callers:
        fill(caller, mug)
        enter(caller)
    answers = at_once([lambda c=caller: c.post(ORDERS, json={}) for caller in callers])
    outcomes = sorted((answer.status_code, answer.json.get("code")) for answer in answers)
    assert outcomes == [(201, None)] + [(409, "code_used_up")] * 29
    assert len(rows(app, Redemption)) == 1

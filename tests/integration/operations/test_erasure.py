"""Erasing what the shop holds of people without an account, and freeing squatted addresses."""

import pytest

from app.extensions import db
from app.models import AuditEvent, Checkout, IdempotencyKey, Order, OrderEvent, StockMovement, User
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import EMAIL, at_once, inside, login, make_user, rows, signed_in_as
from tests.integration.shopping import ADDRESS, fill
from tests.integration.staff import fields_of, signed_in_staff

GUEST = "gina.guest@example.com"


@pytest.fixture
def staff(app):
    """A browser that is signed in as staff."""
    return signed_in_staff(app, "boss@example.com")


@pytest.fixture
def mug(app):
    """A product with enough in stock."""
    return inside(app, factories.product, stock=50)


def guest_order(app, product, email=GUEST, key=None):
    guest = Caller(app)
    token = fill(guest, product).headers["X-Cart-Token"]
    headers = {"X-Cart-Token": token, **({"Idempotency-Key": key} if key else {})}
    body = {"email": email, "shipping_address": ADDRESS, "note": f"For {email}"}
    answer = guest.post("/api/orders", json=body, headers=headers)
    assert answer.status_code == 201, answer.json
    return answer.json


def look(staff, email=GUEST, name=""):
    staff.get("/admin/erasure")
    staff.page = staff.send("/admin/erasure", email=email, name=name)
    return staff.page.text


def erase(staff, email=GUEST, name="", **fields):
    look(staff, email, name)
    token = fields_of(staff.page.text, "/admin/erasure")["csrf_token"]
    data = {"csrf_token": token, "email": email, "name": name, "step": "erase", **fields}
    return staff.client.post("/admin/erasure", data=data)


def everything(app):
    """All that is stored, as text."""

    def read():
        tables = (Order, OrderEvent, IdempotencyKey, StockMovement, AuditEvent)
        found = [db.session.execute(db.select(table.__table__)).all() for table in tables]
        return str(found)

    return inside(app, read)


def test_what_was_entered_to_order_is_erased(app, staff, mug):
    for email in ("Gina.Guest@example.com", "other@example.com"):
        browser = Browser(app)
        browser.get(f"/products/{mug.slug}")
        browser.send("/cart/items", quantity="1")
        browser.get("/checkout")
        assert browser.send("/checkout", **ADDRESS, email=email).status_code == 303

    erase(staff, checked="on")

    assert [row.details["email"] for row in rows(app, Checkout)] == ["other@example.com"]


def test_guests_orders_are_erased_with_their_stored_answers(app, staff, mug):
    first = guest_order(app, mug, key="one")
    second = guest_order(app, mug, email="Gina.Guest@EXAMPLE.com")
    other = guest_order(app, mug, email="other@example.com", key="two")
    assert "2" in look(staff)

    answer = erase(staff, checked="on")

    assert answer.status_code == 303
    orders = {order.number: order for order in rows(app, Order)}
    for number in (first["number"], second["number"]):
        order = orders[number]
        assert (order.email, order.shipping_address, order.note) == (None, None, "")
        assert order.total > 0
    assert orders[other["number"]].email == "other@example.com"
    assert [key.key for key in rows(app, IdempotencyKey) if key.scope.startswith("cart:")] == [
        "two"
    ]
    assert "gina" not in everything(app).lower()


def test_the_audit_trail_notes_each_order_and_nothing_personal(app, staff, mug):
    guest_order(app, mug)

    erase(staff, checked="on")

    events = [(event.action, event.changes) for event in rows(app, AuditEvent)]
    assert ("order.erased", {"personal_data": ["kept", "erased"]}) in events


def test_reasons_of_stock_movements_that_name_the_person_are_erased(app, staff, mug):
    admin = signed_in(app, role="admin")
    reasons = ["Broken by Gina Guest", "returned by GINA  GUEST", "delivery", "Gina Guesthouse"]
    for reason in reasons:
        sent = {"delta": 1, "reason": " ".join(reason.split())}
        path = f"/api/products/{mug.id}/stock"
        assert admin.post(path, json=sent).status_code == 200
    shown = look(staff, name="Gina Guest")
    assert "Broken by Gina Guest" in shown
    assert "Guesthouse" not in shown

    erase(staff, name="Gina Guest", checked="on")

    kept = [row.reason for row in rows(app, StockMovement)]
    assert sorted(kept) == sorted(
        ["initial stock", "erased", "erased", "delivery", "Gina Guesthouse"]
    )


def test_a_name_of_one_word_is_not_looked_for(app, staff, mug):
    assert "Nothing was found." in look(staff, name="stock")


def test_orders_of_an_account_with_the_same_address_stay(app, staff, mug):
    user = make_user(app, email=GUEST)
    buyer = signed_in_as(app, GUEST)
    fill(buyer, mug)
    buyer.post("/api/orders", json={"shipping_address": ADDRESS})
    assert "an account with this address" in look(staff)

    erase(staff, checked="on")

    (order,) = rows(app, Order)
    assert (order.user_id, order.email) == (user.id, GUEST)


def test_nothing_is_erased_unless_staff_say_that_they_checked(app, staff, mug):
    guest_order(app, mug)

    answer = erase(staff)

    assert answer.status_code == 422
    assert "Check this first." in answer.text
    assert rows(app, Order)[0].email == GUEST


def test_orders_that_are_not_shipped_yet_are_told_of(app, staff, mug):
    guest_order(app, mug)

    assert "Not shipped yet" in look(staff)


def test_erasing_twice_is_as_good_as_once(app, staff, mug):
    guest_order(app, mug)

    assert erase(staff, checked="on").status_code == 303
    assert "Nothing was found." in look(staff)
    assert erase(staff, checked="on").status_code == 303


@pytest.mark.parametrize("email", ["", "no address", "x" * 300 + "@example.com"])
def test_what_is_no_address_is_told_beside_its_field(staff, email):
    staff.get("/admin/erasure")

    answer = staff.send("/admin/erasure", email=email, name="")

    assert answer.status_code == 422
    assert 'id="email-said"' in answer.text


def test_the_form_is_filled_in_from_a_customer_and_from_an_order(app, staff, mug):
    user = make_user(app, first_name="Ann", last_name="Smith")
    number = guest_order(app, mug)["number"]

    page = staff.get(f"/admin/erasure?customer={user.id}").text
    assert f'value="{EMAIL}"' in page
    assert 'value="Ann Smith"' in page
    assert f'value="{GUEST}"' in staff.get(f"/admin/erasure?order={number}").text
    assert staff.get("/admin/erasure?customer=999&order=x").status_code == 200


def test_an_address_that_was_squatted_is_freed_for_its_owner(app, admin):
    squatter = make_user(app)
    session = signed_in_as(app)
    session.post("/api/users/me/addresses", json=ADDRESS)

    answer = admin.post(f"/api/users/{squatter.id}/release")

    assert (answer.status_code, answer.data) == (204, b"")
    assert session.get("/api/users/me").status_code == 401
    assert login(Caller(app)).status_code == 401
    again = {"email": EMAIL, "password": PASSWORD}
    assert Caller(app).post("/api/auth/register", json=again).status_code == 201
    (event,) = rows(app, AuditEvent)
    assert (event.action, event.subject_id, event.user_id) == (
        "user.released", squatter.id, admin.user_id
    )  # fmt: skip
    assert EMAIL not in str(event.changes)


def test_an_account_that_has_ordered_is_not_freed(app, admin, mug):
    user = make_user(app)
    buyer = signed_in_as(app)
    fill(buyer, mug)
    buyer.post("/api/orders", json={"shipping_address": ADDRESS})

    answer = admin.post(f"/api/users/{user.id}/release")

    assert (answer.status_code, answer.json["code"]) == (409, "account_in_use")
    assert login(Caller(app)).status_code == 200


def test_an_account_of_staff_is_not_freed(app, admin):
    other = make_user(app, role="admin")

    for user_id in (other.id, admin.user_id):
        assert admin.post(f"/api/users/{user_id}/release").status_code == 409
    assert admin.post("/api/users/999999/release").status_code == 404


def test_staff_free_an_address_on_the_customers_page(app, staff):
    user = make_user(app)
    path = f"/admin/customers/{user.id}"
    assert f"{path}/release" in staff.get(path).text
    staff.get(f"{path}/release")

    assert "Check this first." in staff.send(f"{path}/release").text
    answer = staff.send(f"{path}/release", checked="on")

    assert f"{EMAIL} is free." in staff.follow(answer).text
    assert [row.email for row in rows(app, User)] == ["boss@example.com", None]


@pytest.mark.races
def test_an_order_that_comes_while_its_account_is_freed(app, admin, mug):
    user = make_user(app)
    buyer = signed_in_as(app)
    fill(buyer, mug)

    order, release = at_once(
        [
            lambda: buyer.post("/api/orders", json={"shipping_address": ADDRESS}),
            lambda: admin.post(f"/api/users/{user.id}/release"),
        ]
    )

    outcomes = (order.status_code, release.status_code)
    assert outcomes in [(201, 409), (401, 204), (422, 204)]
    assert len(rows(app, Order)) == (order.status_code == 201)

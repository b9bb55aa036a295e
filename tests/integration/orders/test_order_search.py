"""Staff find orders by who ordered what and where it goes, and customers by their names."""

import pytest
from sqlalchemy import text, update

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import Order, User
from app.services.operations import erasure_service, lookup_words
from app.services.orders import order_lists
from app.services.orders.order_lists import OrderQuery
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import signed_in
from tests.integration.db.test_query_counts import counted
from tests.integration.people import inside, only_row, rows
from tests.integration.shopping import ADDRESS
from tests.integration.staff import signed_in_staff

JURGEN = {
    **ADDRESS, "name": "Jürgen Müller", "line1": "Straße des 17. Juni 135", "line2": "Hinterhaus",
    "city": "Köln", "postal_code": "10623", "phone": "+49 (0)30 123-45",
}  # fmt: skip
FINDS = [
    "jurgen", "Müller Jürgen", "muller j", "JÜRGEN MÜLLER", "030 12345", "+49 30 12345", "0049 3012345",
    "123-45", "17 juni", "strasse", "hinterhaus", "10623", "koln", "10623 Köln", "Teekanne",
    "kanne-rot", "KANNE-ROT", "müller teekanne", "dame",
]  # fmt: skip
# A word of an order's number has four random characters, so shorter ones might begin it.
FINDS_NOT = [
    "jorgen",
    "muller zzzzz",
    "031 12345",
    "ller",
    "kanne-blau",
    "x",
    "juni 18000",
    "%",
    "_",
    "'",
    "|",
]


@pytest.fixture
def pot(app):
    """A tea pot."""
    return inside(app, factories.product, name="Teekanne", sku="KANNE-ROT")


def order(caller, product, address=JURGEN, **body):
    """An order of one unit."""
    added = caller.post("/api/cart/items", json={"product_id": product.id})
    token = {"X-Cart-Token": added.headers["X-Cart-Token"]} if "email" in body else {}
    placed = caller.post("/api/orders", json={"shipping_address": address, **body}, headers=token)
    assert placed.status_code == 201, placed.json
    return placed.json


@pytest.fixture
def placed(app, pot):
    """Jürgen's order, by an account of another name, and somebody else's."""
    other = inside(app, factories.product, name="Mug", sku="MUG")
    order(signed_in(app, email="bo@example.com"), other, {**ADDRESS, "name": "Bo"})
    return order(
        signed_in(app, email="dame.x@example.com", first_name="Notre", last_name="Dame"), pot
    )


def found(caller, q, **args):
    answer = caller.get("/api/orders", query_string={"q": q, **args})
    assert answer.status_code == 200, answer.json
    return [item["number"] for item in answer.json["items"]]


@pytest.mark.parametrize("q", FINDS)
def test_staff_find_an_order_by_what_they_are_told(app, admin, placed, q):
    assert found(admin, q) == [placed["number"]]
    assert found(admin, q, cursor="") == [placed["number"]]
    assert found(admin, q, status="pending") == [placed["number"]]
    assert found(admin, q, status="shipped") == []


@pytest.mark.parametrize("q", FINDS_NOT)
def test_something_else_does_not_find_it(admin, placed, q):
    assert placed["number"] not in found(admin, q) or q in ("x", "_", "%")


def test_a_number_and_an_email_come_first(app, admin, pot):
    """An email that is a word of another order's address is the email."""
    by_email = order(signed_in(app, email="koln@example.com"), pot, {**ADDRESS, "city": "Bonn"})
    order(signed_in(app, email="b@example.com"), pot)

    assert found(admin, "koln") == [by_email["number"]]
    assert found(admin, by_email["number"]) == [by_email["number"]]


def test_the_page_finds_the_same(app, placed):
    clerk = signed_in_staff(app)

    page = clerk.get("/admin/orders", query_string={"q": "Müller Jürgen"}).text

    assert placed["number"] in page
    assert page.count("/admin/orders/SW-") == 1
    assert "Number, name, email, phone, address, article or SKU" in page


@pytest.mark.parametrize("q", ["jurgen", "030 12345", "teekanne", "17 juni", "SW-", "dame"])
def test_a_customer_does_not_find_the_orders_of_others(app, placed, q):
    assert found(signed_in(app, email="eve@example.com"), q) == []


def test_pages_of_a_search_by_words_follow_each_other(app, admin, pot):
    numbers = [order(signed_in(app), pot)["number"] for _ in range(3)]

    first = admin.get("/api/orders?q=jurgen&cursor=&per_page=2").json
    second = admin.get(
        "/api/orders", query_string={"q": "jurgen", "per_page": 2, "cursor": first["next_cursor"]}
    ).json

    listed = [item["number"] for item in first["items"] + second["items"]]
    assert listed == numbers[::-1]


@pytest.mark.parametrize("q", ["jurgen", "muller j", "030 12345"])
def test_a_search_takes_a_constant_number_of_statements(app, admin, pot, placed, q):
    with counted(app) as first:
        found(admin, q)
    for _ in range(3):
        order(signed_in(app), pot)
    with counted(app) as later:
        assert len(found(admin, q)) == 4
    assert len(later) == len(first)


@pytest.mark.parametrize("q", ["jurgen", "030 12345", "10623", "dame"])
def test_a_closed_account_leaves_no_words_of_the_person(app, admin, pot, q):
    customer = signed_in(app, email="dame.x@example.com", first_name="Notre", last_name="Dame")
    placed = order(customer, pot)
    assert found(admin, q) == [placed["number"]]

    assert customer.delete("/api/users/me", json={"password": PASSWORD}).status_code == 204

    assert found(admin, q) == []
    assert found(admin, "teekanne") == [placed["number"]]
    row = only_row(app, Order)
    assert row.lookup_words.endswith(" teekanne kanne rot")
    assert admin.get("/api/users?q=dame").json["items"] == []


def test_a_guest_who_is_erased_leaves_no_words(app, admin, anyone, pot):
    placed = order(anyone, pot, email="guest@example.com")
    assert found(admin, "jurgen") == [placed["number"]]

    inside(app, lambda: in_transaction(
        lambda: erasure_service.erase_personal_data(SYSTEM, "guest@example.com")
    ))  # fmt: skip

    assert found(admin, "jurgen") == found(admin, "guest") == []
    assert found(admin, "teekanne") == [placed["number"]]


def test_whoever_erases_a_person_behind_the_shops_back_erases_the_words(app, admin, placed):
    """As a server of the release before does, which does not know the words."""
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(text("UPDATE orders SET email = NULL, shipping_address = NULL"))
        connection.execute(text("UPDATE users SET first_name = '', last_name = ''"))

    words = " ".join(row.lookup_words for row in rows(app, Order))
    assert "jurgen" not in words
    assert "tel" not in words
    assert "teekanne" in words
    assert {row.lookup_words for row in rows(app, User) if row.role == "customer"} == {None}
    assert found(admin, "jurgen") == found(admin, "muller") == []


def test_words_that_are_missing_are_renewed_batch_by_batch(app, admin, pot, placed, monkeypatch):
    before = {row.id: (row.lookup_words, row.updated_at) for row in rows(app, Order)}
    users = {row.id: (row.lookup_words, row.updated_at) for row in rows(app, User)}
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(
            update(Order.__table__).values(lookup_words=None, updated_at=Order.updated_at)
        )
        connection.execute(
            update(User.__table__).values(lookup_words="old", updated_at=User.updated_at)
        )
    assert found(admin, "jurgen") == []
    monkeypatch.setattr(lookup_words.ORDERS, "BATCH", 1)

    done = app.test_cli_runner().invoke(args=["renew-search-keys"])
    again = app.test_cli_runner().invoke(args=["renew-search-keys"])

    assert done.exit_code == again.exit_code == 0
    assert "2 orders renewed." in done.stdout
    assert "0 orders renewed." in again.stdout
    assert {row.id: (row.lookup_words, row.updated_at) for row in rows(app, Order)} == before
    assert {row.id: (row.lookup_words, row.updated_at) for row in rows(app, User)} == users
    assert found(admin, "jurgen") == [placed["number"]]


@pytest.mark.parametrize(
    "q",
    [
        "jurgen",
        "Müller Jürgen",
        "muller j",
        "JÜRGEN",
        "Jürgen Müller",
        "rgen",
        "jm@",
        "müller, jürgen",
    ],
)
def test_customers_are_found_by_their_names(app, admin, q):
    for email, first, last in (
        ("jm@example.com", "Jürgen", "Müller"), ("b@example.com", "Bo", "Ek"),
    ):  # fmt: skip
        inside(app, factories.user, email=email, first_name=first, last_name=last)

    items = admin.get("/api/users", query_string={"q": q}).json["items"]

    assert [item["email"] for item in items] == ["jm@example.com"]


def test_a_customer_who_registers_or_is_renamed_is_found(app, admin, anyone):
    anyone.post("/api/auth/register", json={
        "email": "new@example.com", "password": "correct horse battery", "first_name": "Zoë", "last_name": "Ek",
    })  # fmt: skip
    caller = signed_in(app, email="old@example.com", first_name="Old", last_name="Name")
    for name in ("Renée", "RENÉE"):  # the second has the same words
        caller.patch("/api/users/me", json={"first_name": name})

    for q, email in (("ek zoe", "new@example.com"), ("renee", "old@example.com")):
        items = admin.get("/api/users", query_string={"q": q}).json["items"]
        assert [item["email"] for item in items] == [email]
    assert admin.get("/api/users?q=name+old").json["items"] == []


@pytest.mark.only_on("sqlite")
def test_sqlite_finds_words_in_their_index(app, placed):
    query = OrderQuery(q="muller j", status="pending")
    with app.app_context(), counted(app) as statements:
        order_lists.page_of_orders(SYSTEM, query, 1, 25)
        (page,) = [each for each in statements if "orders_fts" in each and "LIMIT" in each]
        values = ["pending", "KANNE", '("muller"* AND "j"*)'] * 3
        plan = db.session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {page}", tuple([*values, 1, 1, 1][: page.count("?")])
        )
        steps = [row.detail for row in plan]

    assert any("orders_fts" in step for step in steps)
    assert not any(step == "SCAN orders" for step in steps), steps

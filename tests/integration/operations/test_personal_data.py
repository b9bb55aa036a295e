"""The copy of all that the shop knows of somebody: complete, their own, and without secrets."""

import json

import pytest
from sqlalchemy import insert

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.models import AccountToken, Base, ImportJob, Mail, SecurityEvent
from app.services.operations.personal_data import LISTS, NOT_PERSONAL, STATEMENTS
from app.web.personal_data import CHUNK
from tests import factories
from tests.integration.browsing import Browser
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import EMAIL, bearer, inside, login, rows
from tests.integration.second_factors import first_step, make_owner, second_step
from tests.integration.shopping import ADDRESS, fill, guest_order, order, statements_for

EXPORT = "/api/users/me/export"


@pytest.fixture
def owner(app):
    """EMAIL, about whom the shop knows something of every kind."""
    owner = make_owner(app)
    caller, product = owner.caller, inside(app, factories.product)
    caller.post("/api/users/me/addresses", json={**ADDRESS, "line1": "1 Secret Street"})
    order(caller, product, 2, shipping_address=ADDRESS, note="Ring twice")
    fill(caller, product, 3)
    first_step(app)
    caller.post(
        "/api/users/me/addresses", json=ADDRESS, headers={"Idempotency-Key": "a-key-of-the-client"}
    )
    return owner


def copy_of(caller):
    answer = caller.get(EXPORT)
    assert answer.status_code == 200
    return answer.json


def tables_of(statement):
    return {table.name for one in statement.get_final_froms() for table in _tables(one)}


def _tables(source):
    return [source] if hasattr(source, "name") else _tables(source.left) + _tables(source.right)


def test_every_table_is_in_the_copy_or_named_as_not_personal():
    """A new table has to be read in `personal_data`, or named in NOT_PERSONAL with the reason."""
    exported = set().union(*map(tables_of, STATEMENTS)) | {"recovery_codes"}  # in a subquery

    assert not exported & set(NOT_PERSONAL)
    assert exported | set(NOT_PERSONAL) == set(Base.metadata.tables)


def test_no_table_that_names_an_account_counts_as_not_personal():
    of_accounts = {
        table.name for table in Base.metadata.tables.values() if "user_id" in table.columns
    }

    assert of_accounts & set(NOT_PERSONAL) == {"redemptions", "stock_movements"}


def test_the_copy_has_something_of_every_kind(app, owner):
    user_id = owner.caller.get("/api/users/me").json["id"]
    admin = signed_in(app, role="admin")
    admin.patch(f"/api/users/{user_id}", json={"role": "admin"})
    boss = Caller(app, **{"User-Agent": "Phone/1.0"})
    token = first_step(app)
    pair = second_step(boss, token, owner.authenticator.recovery_codes[0]).json
    boss.headers |= bearer(pair["access_token"])
    boss.post("/api/categories", json={"name": "Lamps"})
    inside(app, lambda: _save(
        ImportJob(user_id=user_id, name="lamps.csv", size=1, lines=1),
        Mail(template="order_placed", key="1", recipient=EMAIL, recipient_key=EMAIL,
             context={"user": user_id}, message_id="one"),
        AccountToken(user_id=user_id, purpose="reset", email=EMAIL, seed="of-a-link",
                     token_hash="of-a-token", password_version=0, expires_at=utc_now()),
    ))  # fmt: skip

    copy = copy_of(boss)

    assert set(copy) == {"exported_at", "account", "orders", *LISTS}
    empty = [name for name, content in copy.items() if not content]
    assert empty == [
        "codes_in_cart",
        "checkout",
    ]  # the first has a test of its own, pages take the second
    assert copy["account"]["email"] == EMAIL
    assert copy["addresses"][0]["line1"] == "1 Secret Street"
    assert copy["cart"][0] | {"sku": "", "created_at": "", "name": ""} == {
        "sku": "", "name": "", "options": {}, "quantity": 3, "price_seen": "10.00",
        "created_at": "",
    }  # fmt: skip
    assert copy["second_factor"][0]["recovery_codes"] == 9
    assert copy["sessions"][-1]["user_agent"] == "Phone/1.0"
    assert copy["changes_by_staff"][0]["changes"] == {"role": ["customer", "admin"]}
    assert copy["own_changes_as_staff"][0]["action"] == "category.created"
    assert copy["imports"][0]["name"] == "lamps.csv"
    assert "order_placed" in [mail["template"] for mail in copy["mails"]]
    assert "signed_in" in [line["kind"] for line in copy["security_log"]]


def _save(*objects):
    in_transaction(lambda: db.session.add_all(objects))


def test_an_order_has_its_items_and_its_history(app, owner):
    caller, product = owner.caller, inside(app, factories.product, price=250)
    second = order(caller, product, 4).json
    caller.post(f"/api/orders/{second['number']}/cancel", json={"note": "By mistake"})

    first, second = copy_of(caller)["orders"]

    assert (first["note"], first["shipping_address"]["city"]) == ("Ring twice", "Leeds")
    assert [item["quantity"] for item in first["items"]] == [2]
    assert sorted(item["quantity"] for item in second["items"]) == [3, 4]
    assert second["total"] == "40.00"
    assert {item["line_total"] for item in second["items"]} == {"30.00", "10.00"}
    assert [step["status"] for step in second["history"]] == ["pending", "cancelled"]
    assert second["history"][1]["note"] == "By mistake"


def test_a_checkout_is_in_it(app):
    make = Browser(app)
    make.get("/register")
    make.send("/register", email=EMAIL, password=factories.PASSWORD)
    product = inside(app, factories.product)
    make.get(f"/products/{product.slug}")
    make.send("/cart/items")
    make.get("/checkout")
    make.send("/checkout", **ADDRESS)

    copy = json.loads(make.get("/account/export").text)

    assert copy["checkout"][0]["details"]["city"] == "Leeds"


def test_nothing_of_others_is_in_it(app, owner):
    bob = signed_in(app)
    product = inside(app, factories.product)
    bob.post("/api/users/me/addresses", json={**ADDRESS, "line1": "9 Other Road"})
    order(bob, product, note="Of Bob")
    guest = guest_order(Caller(app), product)

    text = owner.caller.get(EXPORT).text

    assert "9 Other Road" not in text
    assert "Of Bob" not in text
    assert guest["number"] not in text


def test_mails_about_guests_orders_are_not_in_it(app, owner):
    guest = Caller(app)
    fill(guest, inside(app, factories.product))
    placed = guest.post("/api/orders", json={"email": EMAIL}).json
    mail = {"template": "order_placed", "recipient": EMAIL, "recipient_key": EMAIL}
    own = owner.caller.get("/api/orders").json["items"][0]["number"]
    inside(app, lambda: _save(
        Mail(**mail, key="1", context={"order": placed["number"]}, message_id="one"),
        Mail(**mail, key="2", context={"order": own}, message_id="two"),
    ))  # fmt: skip

    assert len(copy_of(owner.caller)["mails"]) == 1


def test_mails_to_former_addresses_are_in_it(app, owner):
    former = "former@example.com"
    own = owner.caller.get("/api/orders").json["items"][0]["number"]
    inside(app, lambda: _save(
        Mail(template="order_placed", key="1", recipient=former, recipient_key=former,
             context={"order": own}, message_id="one"),
    ))  # fmt: skip

    assert [mail["recipient"] for mail in copy_of(owner.caller)["mails"]] == [former]


def test_no_secret_is_in_it(app, owner):
    stored = inside(app, _secrets)
    device = login(Caller(app)).headers.get("X-Device-Token")

    text = owner.caller.get(EXPORT).text

    assert stored
    assert device is None
    assert not [secret for secret in [*stored, "a-key-of-the-client"] if secret in text]
    assert owner.authenticator.secret not in text


def _secrets():
    """What columns of secrets hold."""
    names = (
        "password_hash",
        "secret",
        "code_hash",
        "token_hash",
        "seed",
        "place",
        "key_id",
        "request_hash",
    )
    return [
        str(value)
        for table in Base.metadata.sorted_tables
        for name in names
        if name in table.columns
        for value in db.session.scalars(db.select(table.columns[name]))
        if value
    ]


def test_the_number_of_statements_does_not_depend_on_the_number_of_rows(app, owner):
    caller, product = owner.caller, inside(app, factories.product, stock=1000)
    caller.get(EXPORT)
    few = statements_for(app, lambda: caller.get(EXPORT))
    for _ in range(20):
        order(caller, product)

    assert statements_for(app, lambda: caller.get(EXPORT)) == few
    assert len(copy_of(caller)["orders"]) == 21


def test_it_is_sent_in_pieces(app, owner):
    user_id = owner.caller.get("/api/users/me").json["id"]
    lines = [
        {"kind": "signed_in", "user_id": user_id, "detail": "x" * 100, "bucket": str(number)}
        for number in range(2500)
    ]
    inside(app, lambda: in_transaction(lambda: db.session.execute(insert(SecurityEvent), lines)))

    with app.test_client(use_cookies=False) as client:
        answer = client.get(EXPORT, headers=owner.caller.headers, buffered=False)
        chunks = list(answer.response)

    assert len(chunks) > 4
    assert max(map(len, chunks)) < CHUNK + 2000
    assert len(json.loads(b"".join(chunks))["security_log"]) > 2500


def test_it_is_recorded_and_never_stored_by_a_cache(app, owner):
    answer = owner.caller.get(EXPORT)

    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=my-data-")
    (line,) = [event for event in rows(app, SecurityEvent) if event.kind == "exported"]
    assert line.detail == "own account"


def test_the_account_page_links_to_it(app, owner):
    browser = Browser(app)
    browser.sign_in(EMAIL)
    browser.get("/login/code")
    browser.send("/login/code", code=owner.authenticator.recovery_codes[0])

    assert 'href="/account/export"' in browser.get("/account").text
    answer = browser.get("/account/export")

    assert answer.mimetype == "application/json"
    assert json.loads(answer.text)["account"]["email"] == EMAIL

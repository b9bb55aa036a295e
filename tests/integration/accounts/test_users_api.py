"""Accounts over HTTP: one's own, and all of them for staff."""

import logging

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.errors import Conflict
from app.extensions import db
from app.models import (
    Address,
    Cart,
    CartLine,
    IdempotencyKey,
    LoginThrottle,
    Order,
    OrderEvent,
    Session,
    User,
)
from app.services import user_service
from app.services.accounts import password_hashing
from tests import factories
from tests.factories import PASSWORD
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import (
    EMAIL,
    bearer,
    change,
    inside,
    login,
    make_user,
    only_row,
    refresh,
    rows,
    signed_in_as,
)

ME = "/api/users/me"
NEW_PASSWORD = "a rather different phrase"


def ids(response):
    return [item["id"] for item in response.json["items"]]


def reload(app, user_id):
    return inside(app, lambda: db.session.get(User, user_id))


def test_everybody_reads_their_own_account(customer):
    response = customer.get(ME)

    assert response.status_code == 200
    assert response.json["id"] == customer.user_id
    assert response.headers["Cache-Control"] == "no-store"
    assert set(response.json) == {
        "id", "email", "email_verified", "first_name", "last_name", "role", "is_active", "created_at"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ME), ("PATCH", ME), ("PUT", ME), ("DELETE", ME), ("POST", f"{ME}/password"), ("GET", "/api/users"),
     ("GET", "/api/users/1"), ("PATCH", "/api/users/1"), ("PUT", "/api/users/1")],
)  # fmt: skip
def test_nobody_enters_without_signing_in_and_the_body_is_not_looked_at(anyone, method, path):
    response = anyone.call(method, path, data="{")

    assert response.status_code == 401
    assert response.json["code"] == "unauthenticated"


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/users"), ("GET", "/api/users/1"), ("PATCH", "/api/users/1"), ("PUT", "/api/users/1")],
)  # fmt: skip
def test_customers_do_not_enter_the_staffs_doors(customer, method, path):
    response = customer.call(method, path, data="{")

    assert response.status_code == 403
    assert response.json["code"] == "forbidden"


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_names_are_changed_and_what_is_not_sent_stays(customer, method):
    before = customer.get(ME).json

    response = customer.call(method, ME, json={"first_name": " Zoë "})

    assert response.status_code == 200
    assert response.json == {**before, "first_name": "Zoë"}
    assert customer.get(ME).json == response.json


def test_null_empties_a_name(customer):
    response = customer.patch(ME, json={"first_name": None})

    assert response.status_code == 200
    assert response.json["first_name"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [("role", "admin"), ("email", "x@example.com"), ("is_active", False), ("id", 5), ("first_name", 5),
     ("last_name", "x" * 101), ("last_name", "a\nb"), ("password_hash", "x")],
)  # fmt: skip
def test_nothing_else_about_oneself_can_be_changed(customer, field, value):
    before = customer.get(ME).json

    response = customer.patch(ME, json={"first_name": "New", field: value})

    assert response.status_code == 422
    assert field in response.json["errors"]
    assert customer.get(ME).json == before


def test_a_new_password_replaces_the_old_and_ends_all_other_sessions(app):
    make_user(app)
    here, elsewhere = signed_in_as(app), signed_in_as(app)
    refresh_token = login(Caller(app)).json["refresh_token"]

    response = here.post(
        f"{ME}/password", json={"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    )

    assert response.status_code == 204
    assert here.get(ME).status_code == 200
    assert elsewhere.get(ME).status_code == 401
    assert refresh(Caller(app), refresh_token).status_code == 401
    assert login(Caller(app)).status_code == 401
    assert login(Caller(app), password=NEW_PASSWORD).status_code == 200


def test_a_wrong_current_password_changes_nothing(app, customer):
    response = customer.post(
        f"{ME}/password", json={"current_password": "wrong", "new_password": NEW_PASSWORD}
    )

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["current_password"]
    assert login(Caller(app), customer.get(ME).json["email"]).status_code == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"current_password": PASSWORD}, "new_password"),
        ({"new_password": NEW_PASSWORD}, "current_password"),
        ({"current_password": PASSWORD, "new_password": "password1"}, "new_password"),
        ({"current_password": PASSWORD, "new_password": "x" * 129}, "new_password"),
        ({"current_password": 5, "new_password": NEW_PASSWORD}, "current_password"),
        ({"current_password": "\0", "new_password": NEW_PASSWORD}, "current_password"),
    ],
)
def test_a_new_password_must_be_good_enough(customer, body, field):
    response = customer.post(f"{ME}/password", json=body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]


def test_guessing_the_current_password_with_a_stolen_token_is_locked(app, customer):
    email = customer.get(ME).json["email"]
    guess = {"current_password": "wrong", "new_password": NEW_PASSWORD}
    right = {"current_password": PASSWORD, "new_password": NEW_PASSWORD}

    guesses = [customer.post(f"{ME}/password", json=guess).status_code for _ in range(6)]
    locked = customer.post(f"{ME}/password", json=right)
    deletion = customer.delete(ME, json={"password": PASSWORD})

    assert guesses == [422] * 5 + [429]
    assert (locked.status_code, deletion.status_code) == (429, 429)
    assert 0 < int(locked.headers["Retry-After"]) <= 30
    assert login(Caller(app), email).status_code == 200


def test_strangers_who_guess_at_the_door_do_not_keep_the_owner_from_a_new_password(app):
    make_user(app)
    owner = signed_in_as(app)
    for _ in range(6):
        login(Caller(app), password="wrong")

    response = owner.post(
        f"{ME}/password", json={"current_password": PASSWORD, "new_password": NEW_PASSWORD}
    )

    assert response.status_code == 204


def leave_traces(app, user_id, number="ABC123"):
    """Make the shop know everything that it may know about somebody."""
    variant = inside(app, factories.product).variants[0]
    inside(app, lambda: in_transaction(lambda: traces(user_id, variant.id, number)))


def traces(user_id, variant_id, number):
    cart = Cart(user_id=user_id)
    order = Order(
        number=number, user_id=user_id, currency="USD", subtotal=1000, total=1000, email=EMAIL,
        shipping_address={"name": "Ann Lee"}, note="Leave it with Ann's neighbour",
    )  # fmt: skip
    db.session.add_all([cart, order])
    db.session.flush()
    db.session.add_all(
        [
            CartLine(cart_id=cart.id, variant_id=variant_id, quantity=1, price_seen=1),
            Address(user_id=user_id, name="Ann Lee", line1="Main Street 1", city="X", country="DE"),
            OrderEvent(order_id=order.id, status="pending", done_by="customer", note="Ann is away"),
            IdempotencyKey(
                scope=f"user:{user_id}", key="k", request_hash="h", order_id=order.id, answer=b"Ann"
            ),
        ]
    )
    db.session.flush()


def test_a_deleted_account_is_a_tombstone_and_its_orders_stay_without_personal_data(app):
    user = make_user(app, first_name="Ann", last_name="Lee")
    leave_traces(app, user.id)
    caller, elsewhere = signed_in_as(app), signed_in_as(app)
    login(Caller(app), password="wrong")

    response = caller.delete(ME, json={"password": PASSWORD})

    assert response.status_code == 204
    assert caller.get(ME).status_code == elsewhere.get(ME).status_code == 401
    tombstone, order = only_row(app, User), only_row(app, Order)
    assert tombstone.deleted_at is not None
    assert (tombstone.email, tombstone.email_key) == (None, None)
    assert (tombstone.first_name, tombstone.last_name) == ("", "")
    assert "$" not in tombstone.password_hash
    assert (order.number, order.total, order.user_id) == ("ABC123", 1000, user.id)
    assert (order.email, order.shipping_address, order.note) == (None, None, "")
    assert only_row(app, OrderEvent).note == ""
    for table in (Cart, CartLine, Address, IdempotencyKey, LoginThrottle):
        assert rows(app, table) == []
    assert all(session.ended_at for session in rows(app, Session))


PERSONAL = (
    User,
    Order,
    OrderEvent,
    Cart,
    CartLine,
    Address,
    IdempotencyKey,
    LoginThrottle,
    Session,
)


def stored(app):
    """All rows that may hold something of somebody, as the database has them."""

    def read():
        tables = [table.__table__ for table in PERSONAL]
        return [(str(table), *map(str, row)) for table in tables
                for row in db.session.execute(db.select(table))]  # fmt: skip

    return inside(app, read)


def test_what_the_shop_knows_of_others_stays_when_somebody_leaves(app):
    other = make_user(app, email="bob@example.com", first_name="Bob")
    leave_traces(app, other.id, "DEF456")
    signed_in_as(app, "bob@example.com")
    login(Caller(app), "bob@example.com", "wrong")
    of_others = stored(app)
    leave_traces(app, make_user(app).id)

    assert signed_in_as(app).delete(ME, json={"password": PASSWORD}).status_code == 204

    assert {row[0] for row in of_others} == {table.__tablename__ for table in PERSONAL}
    assert [row for row in of_others if row not in stored(app)] == []


def test_an_erased_address_is_null_in_the_database_too(app):
    user = make_user(app)
    leave_traces(app, user.id)

    signed_in_as(app).delete(ME, json={"password": PASSWORD})

    erased = db.select(db.func.count()).where(Order.shipping_address.is_(None))
    assert inside(app, lambda: db.session.scalar(erased)) == 1


def test_the_email_of_a_deleted_account_is_free_again(app, anyone):
    make_user(app)
    signed_in_as(app).delete(ME, json={"password": PASSWORD})

    gone = login(anyone)
    again = anyone.post("/api/auth/register", json={"email": EMAIL, "password": PASSWORD})

    assert gone.status_code == 401
    assert again.status_code == 201


@pytest.mark.parametrize(
    "body",
    [{}, {"password": "wrong password"}, {"password": 7}, {"password": PASSWORD, "sure": True}],
)
def test_an_account_is_deleted_only_with_its_password(customer, body):
    response = customer.delete(ME, json=body)

    assert response.status_code == 422
    assert response.json["errors"]
    assert customer.get(ME).status_code == 200


def test_the_last_admin_cannot_leave(app, admin):
    response = admin.delete(ME, json={"password": PASSWORD})

    assert response.status_code == 409
    assert response.json["code"] == "last_admin"
    assert admin.get(ME).status_code == 200


def test_an_admin_leaves_when_another_one_stays(app, admin):
    signed_in(app, role="admin")

    assert admin.delete(ME, json={"password": PASSWORD}).status_code == 204


def test_somebody_made_admin_since_signing_in_cannot_leave_as_the_last_one(app):
    make_user(app)
    caller = signed_in_as(app)
    change(app, only_row(app, User), role="admin")

    response = caller.delete(ME, json={"password": PASSWORD})

    assert response.json["code"] == "last_admin"


def test_a_request_that_outlived_its_account_changes_nothing(app, customer):
    actor_of_a_late_request = user_service.Actor("customer", customer.user_id)
    change(app, only_row(app, User), is_active=False)

    with pytest.raises(user_service.Unauthenticated):
        inside(
            app,
            lambda: in_transaction(
                lambda: user_service.update_profile(actor_of_a_late_request, first_name="Late")
            ),
        )


def test_whoever_was_made_admin_this_moment_is_not_removed_as_the_last_one(app, admin):
    person = make_user(app, role="admin")

    def remove_with_an_older_list():
        user_service.refuse_last_admin(db.session.get(User, person.id), admins=[])

    with pytest.raises(Conflict):
        inside(app, remove_with_an_older_list)


def test_staff_list_everybody_newest_first_without_tombstones(app, admin):
    people = [make_user(app, email=f"p{number}@example.com") for number in range(3)]
    signed_in_as(app, "p1@example.com").delete(ME, json={"password": PASSWORD})

    response = admin.get("/api/users?per_page=2")

    assert response.status_code == 200
    assert ids(response) == [people[2].id, people[0].id]
    assert response.json["items"][0]["created_at"].endswith("Z")
    assert (response.json["total"], response.json["pages"]) == (3, 2)
    assert 'rel="next"' in response.headers["Link"]
    assert ids(admin.get("/api/users?per_page=2&page=2")) == [admin.user_id]
    assert ids(admin.get("/api/users?page=7")) == []


@pytest.mark.parametrize(
    ("q", "found"),
    [("ann", True), ("ANN@EX", True), ("zoë", True), ("ZOË", True), ("zoë lee", True), ("łÓdź", True),
     ("bob", False), ("%", False), ("_", False), ("\\", False), ("100%", False), ("a_n", False),
     ("' OR 1=1 --", False), ("🦊", False)],
)  # fmt: skip
def test_people_are_found_by_part_of_email_or_name_in_whatever_case(app, admin, q, found):
    person = make_user(app, first_name="Zoë", last_name="Lee-Łódź")

    response = admin.get("/api/users", query_string={"q": q})

    assert ids(response) == ([person.id] if found else [])


def test_people_are_filtered_by_role_and_state(app, admin):
    active = make_user(app)
    idle = make_user(app, email="idle@example.com", is_active=False)

    assert ids(admin.get("/api/users?role=admin")) == [admin.user_id]
    assert ids(admin.get("/api/users?role=customer&is_active=true")) == [active.id]
    assert ids(admin.get("/api/users?is_active=false&utm_source=mail")) == [idle.id]


@pytest.mark.parametrize(
    "query",
    ["role=owner", "is_active=maybe", "page=0", "page=x", "per_page=101", "per_page=100000", "q=%00",
     "q=" + "x" * 201, "page=501"],
)  # fmt: skip
def test_a_list_that_makes_no_sense_is_refused(admin, query):
    assert admin.get(f"/api/users?{query}").status_code == 422


def test_staff_read_one_account(app, admin):
    person = make_user(app)

    assert admin.get(f"/api/users/{person.id}").json["email"] == EMAIL


@pytest.mark.parametrize(
    "user_id",
    ["0", "999999", str(2**63 - 1), str(2**63), "9" * 30, "-1", "1.0", "x", "%00"],
)
def test_an_account_that_is_not_there_is_not_found(admin, user_id):
    for response in (
        admin.get(f"/api/users/{user_id}"),
        admin.patch(f"/api/users/{user_id}", json={"is_active": False}),
    ):
        assert response.status_code == 404
        assert response.json["code"] == "not_found"


def test_a_tombstone_is_not_found(app, admin):
    person = make_user(app)
    signed_in_as(app).delete(ME, json={"password": PASSWORD})

    assert admin.get(f"/api/users/{person.id}").status_code == 404
    assert admin.patch(f"/api/users/{person.id}", json={"role": "admin"}).status_code == 404


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_new_role_counts_at_once_and_ends_the_sessions(app, admin, method):
    person = make_user(app)
    before = signed_in_as(app)

    response = admin.call(method, f"/api/users/{person.id}", json={"role": "admin"})

    assert response.status_code == 200
    assert response.json["role"] == "admin"
    assert before.get(ME).status_code == 401
    assert signed_in_as(app).get("/api/users").status_code == 200


def test_a_deactivated_account_is_out_at_once_until_it_is_activated_again(app, admin):
    person = make_user(app)
    tokens = login(Caller(app)).json

    response = admin.patch(f"/api/users/{person.id}", json={"is_active": False})

    assert response.json["is_active"] is False
    assert Caller(app, **bearer(tokens["access_token"])).get(ME).status_code == 401
    assert refresh(Caller(app), tokens["refresh_token"]).status_code == 401
    assert login(Caller(app)).status_code == 401
    admin.patch(f"/api/users/{person.id}", json={"is_active": True})
    assert login(Caller(app)).status_code == 200


def test_a_change_that_changes_nothing_leaves_the_sessions(app, admin):
    person = make_user(app)
    caller = signed_in_as(app)

    same = admin.patch(f"/api/users/{person.id}", json={"role": "customer", "is_active": True})
    nothing = admin.patch(f"/api/users/{person.id}", json={})

    assert (same.status_code, nothing.status_code) == (200, 200)
    assert caller.get(ME).status_code == 200


@pytest.mark.parametrize(
    "body",
    [{"role": "owner"}, {"role": None}, {"role": 1}, {"is_active": "yes"}, {"is_active": 1}, {"is_active": None},
     {"email": "x@example.com"}, {"password": NEW_PASSWORD}, {"first_name": "X"}, []],
)  # fmt: skip
def test_staff_change_role_and_state_and_nothing_else(app, admin, body):
    person = make_user(app)

    response = admin.patch(f"/api/users/{person.id}", json=body)

    assert response.status_code == 422
    unchanged = reload(app, person.id)
    assert (unchanged.role, unchanged.is_active, unchanged.email) == ("customer", True, EMAIL)


@pytest.mark.parametrize("change", [{"role": "customer"}, {"is_active": False}])
def test_the_last_active_admin_stays(app, admin, change):
    make_user(app, role="admin", is_active=False)

    response = admin.patch(f"/api/users/{admin.user_id}", json=change)

    assert response.status_code == 409
    assert response.json["code"] == "last_admin"
    assert admin.get("/api/users").status_code == 200


def test_an_admin_among_several_may_step_down(app, admin):
    make_user(app, role="admin")

    response = admin.patch(f"/api/users/{admin.user_id}", json={"role": "customer"})

    assert response.status_code == 200
    assert admin.get(ME).status_code == 401


def test_changes_by_staff_are_logged_without_personal_data(app, admin, caplog):
    person = make_user(app)

    with caplog.at_level(logging.INFO, "app.services.user_service"):
        admin.patch(f"/api/users/{person.id}", json={"role": "admin"})

    assert f"User {person.id} became ('admin', True)" in caplog.text
    assert EMAIL not in caplog.text


def test_what_the_command_line_uses_refuses_bad_and_taken_emails(app):
    make_user(app)

    with pytest.raises(user_service.Invalid):
        inside(app, user_service.add, "no address", "hash")
    with pytest.raises(user_service.Conflict):
        inside(app, user_service.add, EMAIL.upper(), "hash")
    assert inside(app, user_service.find_by_email, EMAIL.upper()).email == EMAIL
    assert inside(app, user_service.find_by_email, "nobody@example.com") is None


@pytest.mark.parametrize("password", ["", "nul \0", "half \ud800 a pair"])
def test_what_cannot_be_hashed_is_refused_at_every_door(app, password):
    with pytest.raises(user_service.Invalid):
        inside(app, password_hashing.hash_password, password)


def test_an_account_is_promoted_by_the_system(app):
    person = make_user(app)

    inside(
        app,
        lambda: in_transaction(
            lambda: user_service.update_user(user_service.Actor(), person.id, "admin")
        ),
    )

    assert reload(app, person.id).role == "admin"
    assert reload(app, person.id).created_at <= utc_now()


@pytest.mark.parametrize("password", ["ShopSwift-26!", "pat.known@example.com", "pat-known-1"])
def test_a_new_password_that_says_what_is_known_anyway_is_refused(app, password):
    caller = signed_in(app, email="pat.known@example.com", last_name="Known")
    wishes = {"current_password": PASSWORD, "new_password": password}

    response = caller.post("/api/users/me/password", json=wishes)

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["new_password"]

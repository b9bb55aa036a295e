"""Idempotency keys of every POST: what is sent again under its key happens once."""

import io
import re
from datetime import timedelta

import pytest
from PIL import Image

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import SYSTEM
from app.errors import Unavailable
from app.extensions import db
from app.gateways.media import FolderStore
from app.models import (
    Address,
    AuditEvent,
    Cart,
    Category,
    IdempotencyKey,
    Order,
    Product,
    StockMovement,
    User,
)
from app.services.accounts import password_hashing
from app.services.messages import idempotency
from app.services.operations import erasure_service
from app.web.blueprints import ShopBlueprint
from app.web.keyed_requests import refuses_key, takes_key
from tests import factories
from tests.factories import PASSWORD
from tests.integration.access.api_routes import API_ROUTES
from tests.integration.access.world import World
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import at_once, bearer, inside, login, rows
from tests.integration.shopping import ADDRESS, change, fill, guest_order, order, stock

pytestmark = pytest.mark.usefixtures("balanced_books")

NOT_SUPPORTED = {
    "POST /api/auth/login",
    "POST /api/auth/refresh",
    "POST /api/auth/logout",
    "POST /api/auth/mfa",
    "POST /api/auth/password/forgot",
    "POST /api/auth/password/reset",
    "POST /api/auth/email/verify",
    "POST /api/users/me/email",
    "POST /api/users/me/password",
    "POST /api/users/me/mfa",
    "POST /api/users/me/mfa/confirm",
    "POST /api/users/me/mfa/recovery-codes",
    "POST /api/cart/codes",
    "POST /api/cart/quote",
    "POST /api/webhook-endpoints",
    "POST /api/webhook-endpoints/<endpoint_id>/rotate",
}
"""What signs in or out, or answers secrets: a stored answer would be a stored password."""
PATHS_NOT_SUPPORTED = {re.sub(r"<(\w+)>", r"{\1}", name) for name in NOT_SUPPORTED}
POSTS = [route for route in API_ROUTES if route.method == "POST"]


@pytest.fixture
def product(app):
    return inside(app, factories.product, slug="lamp", stock=10)


def keyed(caller, path, key="a-key", **options):
    headers = {"Idempotency-Key": key, **options.pop("headers", {})}
    return caller.post(path, headers=headers, **options)


def count(app, table):
    return inside(app, factories.count, table)


def is_replay(response):
    return response.headers.get("Idempotency-Replayed") == "true"


def assert_replayed(first, again):
    """Byte for byte, with the headers that a client goes on with."""
    assert first.status_code < 300, first.text
    assert (again.status_code, again.data) == (first.status_code, first.data)
    assert is_replay(again)
    assert not is_replay(first)
    volatile = {"Idempotency-Replayed", "X-Request-ID", "Date", "RateLimit", "RateLimit-Policy"}
    headers = [{k: v for k, v in r.headers if k not in volatile} for r in (first, again)]
    assert headers[0] == headers[1]


# --- every route ---


def test_every_post_declares_whether_it_takes_a_key(shared_app):
    declared = {
        f"POST {re.sub('<[a-z]+:', '<', rule.rule)}": vars(
            shared_app.view_functions[rule.endpoint]
        )["_apidoc"]["takes_key"]
        for rule in shared_app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.rule.startswith("/api")
    }

    assert {name for name, takes in declared.items() if not takes} == NOT_SUPPORTED
    assert len(declared) == len(POSTS)


def test_a_post_that_declares_nothing_is_not_registered():
    blp = ShopBlueprint("example", __name__)

    with pytest.raises(TypeError, match="neither"):
        blp.post("/things")(blp.response(200)(lambda: None))
    for declare in (takes_key, refuses_key):
        blp.post("/things", endpoint=declare.__name__)(blp.response(200)(declare(lambda: None)))


def test_the_document_names_the_header_where_it_is_taken(anyone):
    for path, item in anyone.get("/api/openapi.json").json["paths"].items():
        for method, operation in item.items():
            if not isinstance(operation, dict):
                continue
            names = [parameter.get("name") for parameter in operation.get("parameters", ())]
            takes = method == "post" and f"POST {path}" not in PATHS_NOT_SUPPORTED
            assert names.count("Idempotency-Key") == takes, (method, path)
            replayed = [
                "Idempotency-Replayed" in answer.get("headers", {})
                for status, answer in operation["responses"].items()
                if status.startswith("2")
            ]
            assert replayed == [takes] * len(replayed), (method, path)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("route", POSTS, ids=str)
def test_every_post_replays_or_refuses(app, tmp_path, monkeypatch, route):
    monkeypatch.setitem(app.extensions, "media", FolderStore(tmp_path, "/media"))
    world = World(app)
    caller = world.caller("owner" if "owner" in route.admitted else "admin")
    if "release" in route.rule:
        world.owner_id = inside(app, factories.user).id
    once = route.sends(world)

    def send():
        body = route.sends(world) if "data" in once else once
        if route.rule == "/api/auth/refresh":
            body = {"headers": bearer(world.tokens["owner"]["refresh_token"])}
        return keyed(caller, world.path(route), **body)

    first, again = send(), send()

    if str(route) in NOT_SUPPORTED:
        for refused in (first, again):
            assert (refused.status_code, refused.json["code"]) == (422, "idempotency_not_supported")
    else:
        assert_replayed(first, again)


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE", "GET", "HEAD", "OPTIONS"])
def test_idempotent_methods_ignore_a_key(admin, product, method):
    body = {"json": {"name": "Light"}} if method in ("PATCH", "PUT") else {}

    for _ in range(2 - (method == "DELETE")):
        response = admin.call(
            method, "/api/products/lamp", headers={"Idempotency-Key": "a-key"}, **body
        )
        assert response.status_code in (200, 204)
        assert not is_replay(response)


# --- once ---


def test_stock_is_added_once(app, admin, product):
    body = {"delta": 5, "reason": "delivery"}
    path = f"/api/products/{product.id}/stock"

    first = keyed(admin, path, json=body)
    again = keyed(admin, path, json={"reason": "delivery", "delta": 5})

    assert_replayed(first, again)
    assert first.headers["ETag"] == admin.get("/api/products/lamp").headers["ETag"]
    assert stock(app, product) == (15, 0)
    assert count(app, StockMovement) == 2


def test_stock_is_added_once_by_eight_at_once(app, admin, product):
    path, body = f"/api/products/{product.id}/stock", {"delta": 5, "reason": "delivery"}

    answers = at_once([lambda: keyed(admin, path, json=body)] * 8)

    codes = {answer.status_code for answer in answers}
    assert codes <= {200, 409}
    assert {a.json["code"] for a in answers if a.status_code == 409} <= {"idempotency_key_in_use"}
    assert sum(answer.status_code == 200 and not is_replay(answer) for answer in answers) == 1
    assert len({answer.data for answer in answers if answer.status_code == 200}) == 1
    assert stock(app, product) == (15, 0)


def test_a_product_and_a_category_come_once(app, admin):
    for path, body, table in (
        ("/api/products", {"name": "Lamp", "price": "1.00", "stock": 3}, Product),
        ("/api/categories", {"name": "Lamps"}, Category),
    ):
        first = keyed(admin, path, json=body)
        admin.patch(first.headers["Location"], json={"name": "Renamed meanwhile"})

        assert_replayed(first, keyed(admin, path, json=body))
        assert first.headers["ETag"]
        assert count(app, table) == 1


def test_an_address_comes_once_and_a_cart_is_filled_once(app, customer, product):
    for path, body in (
        ("/api/users/me/addresses", ADDRESS),
        ("/api/cart/items", {"product_id": product.id, "quantity": 2}),
    ):
        assert_replayed(keyed(customer, path, json=body), keyed(customer, path, json=body))

    assert count(app, Address) == 1
    assert customer.get("/api/cart").json["item_count"] == 2


def test_a_picture_is_known_by_its_content(app, admin, product, tmp_path, monkeypatch):
    monkeypatch.setitem(app.extensions, "media", FolderStore(tmp_path, "/media"))

    def send(colour, name="a.png", **fields):
        out = io.BytesIO()
        Image.new("RGB", (8, 8), colour).save(out, "PNG")
        out.seek(0)
        path = f"/api/products/{product.id}/images"
        return keyed(admin, path, data={"file": (out, name), **fields})

    first = send("red")

    assert_replayed(first, send("red", name="another-name.png"))
    for other in (send("blue"), send("red", alt="A lamp")):
        assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(admin.get("/api/products/lamp").json["images"]) == 1


@pytest.mark.parametrize("is_guest", [True, False])
def test_a_cancelled_order_stays_cancelled(app, customer, anyone, product, is_guest):
    caller = anyone if is_guest else customer
    placed = guest_order(anyone, product) if is_guest else order(customer, product).json
    path = f"/api/orders/{placed['id']}/cancel"

    first = keyed(caller, path)

    assert_replayed(first, keyed(caller, path, json={}))
    assert keyed(caller, path, "other").json["code"] == "illegal_transition"
    assert stock(app, product) == (10, 0)


def test_a_stale_etag_does_not_hinder_a_replay(admin, product):
    """The first answer was lost: the write that its ETag allowed has changed the ETag."""
    bound = {"If-Match": admin.get("/api/products/lamp").headers["ETag"]}
    body = {"delta": 5, "reason": "delivery"}
    path = "/api/products/lamp/stock"

    first = keyed(admin, path, json=body, headers=bound)

    assert_replayed(first, keyed(admin, path, json=body, headers=bound))
    assert keyed(admin, path, "other", json=body, headers=bound).status_code == 412


def test_key_answer_and_effect_are_stored_together(app, admin, product, monkeypatch):
    def fail(*_args):
        raise Unavailable()

    before = count(app, AuditEvent)
    with monkeypatch.context() as patch:
        patch.setattr(idempotency, "store_answer", fail)
        body = {"delta": 5, "reason": "delivery"}
        assert keyed(admin, "/api/products/lamp/stock", json=body).status_code == 503

    assert stock(app, product) == (10, 0)
    assert count(app, IdempotencyKey) == 0
    assert count(app, AuditEvent) == before


def test_refusals_are_not_stored(app, admin, product):
    body = {"delta": -11, "reason": "loss"}
    refused = keyed(admin, "/api/products/lamp/stock", json=body)
    admin.post("/api/products/lamp/stock", json={"delta": 1, "reason": "delivery"})

    accepted = keyed(admin, "/api/products/lamp/stock", json=body)

    assert (refused.status_code, accepted.status_code) == (409, 200)
    assert not is_replay(accepted)
    assert stock(app, product) == (0, 0)


def test_a_key_is_free_again_after_a_day(app, admin, product):
    body = {"delta": 5, "reason": "delivery"}
    keyed(admin, "/api/products/lamp/stock", json=body)
    change(app, rows(app, IdempotencyKey)[0], created_at=utc_now() - timedelta(hours=24))

    assert not is_replay(keyed(admin, "/api/products/lamp/stock", json=body))
    assert stock(app, product) == (20, 0)


# --- what a key is bound to ---


def test_a_key_with_another_body_is_refused(app, admin, product):
    keyed(admin, "/api/products/lamp/stock", json={"delta": 5, "reason": "delivery"})

    other = keyed(admin, "/api/products/lamp/stock", json={"delta": 6, "reason": "delivery"})

    assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")
    assert stock(app, product) == (15, 0)


def test_a_key_used_at_one_address_is_free_at_another(app, admin, product):
    other = inside(app, factories.product, slug="vase", stock=10)
    body = {"delta": 5, "reason": "delivery"}

    answers = [
        keyed(admin, f"/api/products/{product.id}/stock", json=body),
        keyed(admin, f"/api/products/{other.id}/stock", json=body),
        keyed(admin, "/api/cart/items", json={"product_id": product.id}),
        keyed(admin, "/api/orders", json={}),
        keyed(admin, "/api/categories", json={"name": "New"}),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 201, 201, 201]
    assert not any(is_replay(answer) for answer in answers)
    assert (stock(app, product), stock(app, other)) == ((15, 1), (15, 0))


def test_a_key_belongs_to_its_caller(app, admin, product):
    colleague = signed_in(app, role="admin")
    body = {"delta": 5, "reason": "delivery"}

    answers = [keyed(c, "/api/products/lamp/stock", json=body) for c in (admin, colleague)]

    assert [(answer.status_code, is_replay(answer)) for answer in answers] == [(200, False)] * 2
    assert stock(app, product) == (20, 0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("k", '"k"'),
        ('"k"', "k"),
        ('"a \\"b\\" \\\\"', 'a "b" \\'),
        ('"' + "x" * 255 + '"', "x" * 255),
    ],
)
def test_quotes_are_not_part_of_a_key(app, admin, customer, product, first, second):
    body = {"delta": 5, "reason": "delivery"}
    path = "/api/products/lamp/stock"

    assert_replayed(keyed(admin, path, first, json=body), keyed(admin, path, second, json=body))
    fill(customer, product)
    placed = keyed(customer, "/api/orders", first, json={})
    again = keyed(customer, "/api/orders", second, json={})
    assert (again.data, is_replay(again)) == (placed.data, True)


@pytest.mark.parametrize(
    "key", ["", '""', "x" * 256, '"' + "x" * 256 + '"', "\\" * 9000, "caf\xe9"]
)
def test_what_is_no_key_is_refused(app, admin, product, key):
    body = {"delta": 5, "reason": "delivery"}

    refused = keyed(admin, "/api/products/lamp/stock", key, json=body)

    assert (refused.status_code, refused.json["code"]) == (422, "idempotency_key_invalid")
    assert stock(app, product) == (10, 0)


@pytest.mark.only_on("sqlite")
def test_a_key_that_is_not_valid_is_refused_before_anything_is_looked_for(
    admin, anyone, monkeypatch
):
    monkeypatch.setattr(password_hashing, "hash_password", None)
    account = {"email": "new@example.com", "password": PASSWORD}
    requests = [
        (admin, "/api/products/999/images", {"data": {"file": (io.BytesIO(b"x"), "x.png")}}),
        (admin, "/api/products/999/stock", {"json": {"delta": 5, "reason": "delivery"}}),
        (admin, "/api/orders/999/cancel", {"json": {}}),
        (admin, "/api/users/999/release", {}),
        (anyone, "/api/auth/register", {"json": account}),
    ]

    for caller, path, options in requests:
        refused = keyed(caller, path, "x" * 256, **options)
        assert (refused.status_code, refused.json["code"]) == (422, "idempotency_key_invalid"), path


@pytest.mark.parametrize("hours", [1, 25])
def test_an_order_that_an_earlier_release_stored_with_its_quotes_is_replayed(
    app, customer, product, hours
):
    fill(customer, product)
    placed = keyed(customer, "/api/orders", "k", json={})
    row = rows(app, IdempotencyKey)[0]
    change(app, row, key='"k"', created_at=utc_now() - timedelta(hours=hours))
    fill(customer, product)

    again = keyed(customer, "/api/orders", '"k"', json={})

    assert is_replay(again) == (hours < 24)
    assert (again.data == placed.data) == (hours < 24)
    assert count(app, Order) == (1 if hours < 24 else 2)


# --- guests ---


def add(caller, product, key="a-key", **headers):
    body = {"product_id": product.id}
    return keyed(caller, "/api/cart/items", key, json=body, headers=headers)


def test_guests_with_one_key_have_carts_of_their_own(app, product):
    """Neither has a token yet: nothing tells them apart but the answers."""
    answers = at_once([lambda: add(Caller(app), product)] * 4)

    assert {(answer.status_code, is_replay(answer)) for answer in answers} == {(201, False)}
    assert {answer.json["item_count"] for answer in answers} == {1}
    assert len({answer.headers["X-Cart-Token"] for answer in answers}) == 4


def test_a_guest_whose_first_request_is_repeated_with_the_token_gets_the_same_answer(
    app, anyone, product
):
    first = add(anyone, product)
    token = first.headers["X-Cart-Token"]

    again = add(anyone, product, **{"X-Cart-Token": token})

    assert_replayed(first, again)
    assert anyone.get("/api/cart", headers={"X-Cart-Token": token}).json["item_count"] == 1
    (row,) = rows(app, IdempotencyKey)
    answer = idempotency.StoredAnswer.load(row.answer)
    assert token not in repr((row.scope, row.key, answer))


def test_a_token_that_nobody_has_is_not_the_scope_of_a_key(app, anyone, product):
    """Everybody could send it, and the next guest would get this guest's cart."""
    unknown = {"X-Cart-Token": "unknown"}
    answers = [add(anyone, product, **unknown) for _ in range(2)]

    assert [(a.status_code, is_replay(a)) for a in answers] == [(201, False)] * 2
    assert len({answer.headers["X-Cart-Token"] for answer in answers}) == 2
    for answer in answers:
        own = {"X-Cart-Token": answer.headers["X-Cart-Token"]}
        assert_replayed(answer, add(anyone, product, **own))
    assert count(app, Cart) == 2


def test_guests_keys_belong_to_their_tokens(app, product):
    guests = [Caller(app), Caller(app)]
    for guest in guests:
        fill(guest, product)

    answers = [add(guest, product) for guest in guests * 2]

    assert [is_replay(answer) for answer in answers] == [False, False, True, True]
    assert [guest.get("/api/cart").json["item_count"] for guest in guests] == [2, 2]


def test_a_guests_key_for_cancelling_belongs_to_the_order(app, product):
    guests = [Caller(app), Caller(app)]
    placed = [guest_order(guest, product) for guest in guests]

    stranger = keyed(guests[1], f"/api/orders/{placed[0]['id']}/cancel")
    answers = [
        keyed(guest, f"/api/orders/{each['id']}/cancel")
        for guest, each in zip(guests, placed, strict=True)
    ]

    assert stranger.status_code == 404
    assert [answer.json["number"] for answer in answers] == [each["number"] for each in placed]
    assert keyed(guests[1], f"/api/orders/{placed[0]['id']}/cancel").status_code == 404


# --- registration ---


def register(caller, email="new@example.com", password=PASSWORD, **fields):
    body = {"email": email, "password": password, **fields}
    return keyed(caller, "/api/auth/register", json=body)


def test_an_account_is_opened_once(app, anyone):
    first = register(anyone)

    assert_replayed(first, register(Caller(app)))
    assert count(app, User) == 1
    without_key = anyone.post(
        "/api/auth/register", json={"email": "new@example.com", "password": PASSWORD}
    )
    assert without_key.json["code"] == "email_taken"


def test_whoever_does_not_know_the_password_gets_no_answer(app, anyone):
    register(anyone)

    stranger = register(Caller(app), password="another password entirely")

    assert (stranger.status_code, stranger.json["code"]) == (422, "idempotency_key_reused")


def test_registrations_of_several_people_share_no_key(app):
    answers = [register(Caller(app), f"{name}@example.com") for name in ("ann", "bob")]

    assert [(answer.status_code, is_replay(answer)) for answer in answers] == [(201, False)] * 2


def test_the_stored_answer_does_not_help_to_guess_the_password(app, anyone):
    """A hash of the body under no secret would be a fast hash of the password."""
    register(anyone)
    (row,) = rows(app, IdempotencyKey)
    body = {"email": "new@example.com", "password": PASSWORD}

    assert PASSWORD.encode() not in idempotency.StoredAnswer.load(row.answer).body
    assert row.request_hash != idempotency.KeyedRequest("", body).hash
    assert "new@example.com" not in row.scope


# --- erasure ---


def test_a_deleted_account_leaves_no_stored_answer(app, anyone, admin, product):
    register(anyone, "ann@example.com")
    ann = Caller(app, **bearer(login(anyone, "ann@example.com").json["access_token"]))
    keyed(ann, "/api/users/me/addresses", json=ADDRESS)
    placed = order(ann, product, shipping_address=ADDRESS).json
    keyed(admin, f"/api/orders/{placed['id']}/cancel")
    assert count(app, IdempotencyKey) == 3

    assert ann.delete("/api/users/me", json={"password": PASSWORD}).status_code == 204

    assert count(app, IdempotencyKey) == 0
    with app.app_context():
        assert db.session.get(Order, placed["id"]).shipping_address is None


def test_an_erased_guest_leaves_no_stored_answer(app, anyone, product):
    placed = guest_order(anyone, product)
    keyed(anyone, f"/api/orders/{placed['id']}/cancel")
    assert count(app, IdempotencyKey) == 1

    inside(app, lambda: in_transaction(
        lambda: erasure_service.erase_personal_data(SYSTEM, "guest@example.com")
    ))  # fmt: skip

    assert count(app, IdempotencyKey) == 0

"""Idempotency keys: an order request that is sent again is not carried out again."""

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.db import cleanup
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.domain.people.buyer import Buyer
from app.errors import Conflict
from app.extensions import db
from app.models import IdempotencyKey, Order
from app.services.messages import idempotency
from app.services.messages.idempotency import KeyedRequest
from tests import factories
from tests.integration.conftest import Caller
from tests.integration.people import inside, only_row
from tests.integration.shopping import ADDRESS, change, fill

pytestmark = pytest.mark.usefixtures("balanced_books")

BODY = {"email": "guest@example.com", "note": "Ring twice"}


@pytest.fixture
def product(app):
    return inside(app, factories.product)


def send(caller, key="a-key", body=BODY, **options):
    return caller.post("/api/orders", json=body, headers={"Idempotency-Key": key}, **options)


def orders(app):
    return inside(app, lambda: factories.count(Order))


def test_the_same_request_is_answered_the_same_and_carried_out_once(app, customer, product):
    fill(customer, product)
    first = send(customer)
    fill(customer, product)

    again = send(customer)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.data == first.data
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert customer.get("/api/cart").json["item_count"] == 1
    assert orders(app) == 1


def test_a_guests_answer_is_replayed_with_its_secret_which_is_not_stored(app, anyone, product):
    fill(anyone, product)
    first = send(anyone)

    again = send(anyone)

    assert again.data == first.data
    assert first.json["guest_token"]
    assert first.json["guest_token"].encode() not in only_row(app, IdempotencyKey).answer
    headers = {"X-Order-Token": again.json["guest_token"]}
    assert anyone.get(f"/api/orders/{again.json['id']}", headers=headers).status_code == 200


def test_the_answer_is_replayed_as_it_was_although_the_order_moved_on(customer, product):
    fill(customer, product)
    first = send(customer)
    customer.post(f"/api/orders/{first.json['id']}/cancel")

    assert send(customer).data == first.data


def test_the_same_json_in_another_spelling_is_the_same_request(customer, product):
    fill(customer, product)
    first = customer.post(
        "/api/orders",
        data='{"note": "é", "expected_total": 10.00}',
        content_type="application/json",
        headers={"Idempotency-Key": "k"},
    )

    again = customer.post(
        "/api/orders",
        data='{ "expected_total":10.00,"note":"\\u00e9" }',
        content_type="application/json; charset=utf-8",
        headers={"Idempotency-Key": "k"},
    )

    assert first.status_code == 201
    assert again.data == first.data


def test_a_key_with_another_body_is_refused(app, customer, product):
    fill(customer, product)
    send(customer)
    fill(customer, product)

    response = send(customer, body={**BODY, "note": "Ring once"})

    assert (response.status_code, response.json["code"]) == (422, "idempotency_key_reused")
    assert orders(app) == 1


def test_another_key_is_another_request(app, customer, product):
    for key in ("one", "two"):
        fill(customer, product)
        assert send(customer, key).status_code == 201

    assert orders(app) == 2


def test_one_key_sent_by_several_buyers_is_a_key_of_each(
    app, customer, other_customer, anyone, product
):
    buyers = [customer, other_customer, anyone, Caller(app)]
    bodies = [{"email": f"buyer{number}@example.com"} for number in range(len(buyers))]
    for caller in buyers:
        fill(caller, product)

    answers = [send(caller, body=body) for caller, body in zip(buyers, bodies, strict=True)]
    again = [send(caller, body=body) for caller, body in zip(buyers, bodies, strict=True)]

    assert [answer.status_code for answer in answers] == [201] * len(buyers)
    assert not any("Idempotency-Replayed" in answer.headers for answer in answers)
    assert [answer.json["email"] for answer in answers] == [body["email"] for body in bodies]
    assert [answer.data for answer in again] == [answer.data for answer in answers]
    assert [a.headers["Location"] for a in again] == [a.headers["Location"] for a in answers]
    assert all(answer.headers["Idempotency-Replayed"] == "true" for answer in again)
    assert orders(app) == len(buyers)


def test_a_guests_key_opens_nothing_for_another_guest(app, anyone, product):
    """The other guest sends the same key and body, as clients do that number their requests."""
    fill(anyone, product)
    theirs = send(anyone, body={**BODY, "shipping_address": ADDRESS})
    other = Caller(app)

    without_a_cart = send(other, body={**BODY, "shipping_address": ADDRESS})
    other.headers["X-Cart-Token"] = "invented"
    empty_handed = send(other, body={**BODY, "shipping_address": ADDRESS})
    fill(other, product)
    own = send(other, body={**BODY, "shipping_address": ADDRESS})

    assert without_a_cart.status_code == 401
    assert (empty_handed.status_code, empty_handed.json["code"]) == (422, "cart_empty")
    assert own.json["number"] != theirs.json["number"]
    assert own.json["guest_token"] != theirs.json["guest_token"]
    assert "Idempotency-Replayed" not in own.headers


def test_each_key_of_a_buyer_replays_its_own_answer(customer, product):
    firsts = {}
    for key in ("one", "two", "three"):
        fill(customer, product)
        firsts[key] = send(customer, key).data

    assert {key: send(customer, key).data for key in firsts} == firsts
    assert len({*firsts.values()}) == 3


def test_refusals_are_not_stored(app, customer, product):
    refused = send(customer)
    fill(customer, product)

    accepted = send(customer)

    assert (refused.json["code"], accepted.status_code) == ("cart_empty", 201)
    assert "Idempotency-Replayed" not in accepted.headers


def test_a_key_holds_for_a_day(app, customer, product):
    fill(customer, product)
    first = send(customer)
    almost_a_day = timedelta(hours=23, minutes=59)
    change(app, only_row(app, IdempotencyKey), created_at=utc_now() - almost_a_day)

    assert send(customer).data == first.data
    assert orders(app) == 1


def test_a_key_is_forgotten_after_a_day(app, customer, product):
    fill(customer, product)
    send(customer)
    change(app, only_row(app, IdempotencyKey), created_at=utc_now() - timedelta(hours=24))
    fill(customer, product)

    response = send(customer, body={**BODY, "note": "Another day"})

    assert response.status_code == 201
    assert "Idempotency-Replayed" not in response.headers
    assert orders(app) == 2


def test_a_key_that_is_used_anew_holds_for_a_day_again(app, customer, product):
    """A retry of the new request is replayed, neither ordered once more nor refused."""
    fill(customer, product)
    send(customer)
    change(app, only_row(app, IdempotencyKey), created_at=utc_now() - timedelta(hours=24))
    fill(customer, product)
    body = {**BODY, "note": "Another day"}
    anew = send(customer, body=body)
    fill(customer, product)

    again = [send(customer, body=body) for _ in range(2)]

    assert [answer.data for answer in again] == [anew.data] * 2
    assert [answer.headers["Location"] for answer in again] == [anew.headers["Location"]] * 2
    assert send(customer).json["code"] == "idempotency_key_reused"
    assert orders(app) == 2


def test_answers_past_their_day_are_swept_away_by_later_keys(app, customer, product):
    fill(customer, product)
    send(customer)
    change(app, only_row(app, IdempotencyKey), created_at=utc_now() - timedelta(hours=25))
    buyer = Buyer(Actor("customer", user_id=customer.user_id))

    def ask(number):
        in_transaction(lambda: idempotency.claim(KeyedRequest(f"key {number}", {}), buyer))

    for number in range(cleanup.INTERVAL):
        inside(app, lambda n=number: ask(n))

    kept = inside(app, lambda: db.session.scalars(db.select(IdempotencyKey.key)).all())
    assert sorted(kept) == sorted(f"key {number}" for number in range(cleanup.INTERVAL))


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "tab\there"])
def test_keys_that_are_none_are_refused(app, customer, product, key):
    fill(customer, product)

    response = send(customer, key)

    assert (response.status_code, response.json["code"]) == (422, "idempotency_key_invalid")
    assert orders(app) == 0


@pytest.mark.parametrize("key", ["x" * 255, '"quoted"', "with space", "0"])
def test_any_printable_ascii_is_a_key(customer, product, key):
    fill(customer, product)
    send(customer, key)

    assert send(customer, key).headers["Idempotency-Replayed"] == "true"


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize(
    ("limit", "refusal"), [("lock_timeout", Conflict), ("statement_timeout", OperationalError)]
)
def test_a_key_whose_first_request_runs_for_too_long_is_in_use(app, limit, refusal):
    buyer, request = Buyer(Actor("customer", user_id=7)), KeyedRequest("a-key", {})

    def claim_impatiently():
        db.session.execute(text(f"SET LOCAL {limit} = '50ms'"))
        idempotency.claim(request, buyer)

    with app.app_context(), db.engine.connect() as other:
        row = {"scope": "user:7", "key": "a-key", "request_hash": "", "created_at": utc_now()}
        other.execute(IdempotencyKey.__table__.insert().values(**row))
        with pytest.raises(refusal) as refused:
            in_transaction(claim_impatiently)

    assert getattr(refused.value, "code", None) in ("idempotency_key_in_use", "e3q8")


def test_the_fingerprint_of_a_body_is_the_same_in_every_release():
    """A request that is sent again after an update is not another one."""
    canonical = b'{"a":[1,"\\u00e9"],"b":null}'

    assert (
        KeyedRequest("k", {"b": None, "a": [1, "é"]}).hash == hashlib.sha256(canonical).hexdigest()
    )


def test_a_claim_that_is_given_up_leaves_its_key_free(app):
    def claim_and_release():
        first = idempotency.claim(KeyedRequest("k", 1), "user:7")
        other = idempotency.claim(KeyedRequest("another", 1), "user:7")
        idempotency.release(first)
        return other.id

    other_id = inside(app, lambda: in_transaction(claim_and_release))

    assert only_row(app, IdempotencyKey).id == other_id
    free = inside(
        app, lambda: in_transaction(lambda: idempotency.claim(KeyedRequest("k", 2), "user:7"))
    )
    assert free.answer is None


@pytest.mark.parametrize(("row_id", "answer"), [(7, 7), (None, 0)])
def test_what_is_done_once_answers_the_same_id_again(app, row_id, answer):
    buyer, calls = Buyer(Actor("customer", user_id=7)), []

    def work():
        calls.append("call")
        return row_id

    def once(key):
        request = KeyedRequest(key, "body")
        return inside(app, lambda: in_transaction(lambda: idempotency.once(request, buyer, work)))

    assert [once("k"), once("k"), once("k")] == [answer] * 3
    assert len(calls) == 1
    assert once("another") == answer
    assert len(calls) == 2

"""The feed of events: one for each change that stands, in an order that loses none."""

import threading
from collections import Counter

import pytest
from sqlalchemy import delete, update

from app.db.moments import seconds_from_now
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.jobs import KINDS, RELAYS
from app.jobs.worker import Worker
from app.models import Event, Job, OrderEvent, Product
from app.services.audit import books
from app.services.messages import event_feed, job_queue, subscribers
from app.services.operations import purge_service
from tests import factories
from tests.integration.people import at_once, inside, rows
from tests.integration.shopping import fill, move, order
from tests.servers import PATIENCE

FEED = "/api/events"
PRODUCT = {"name": "Mug", "price": "12.50", "sku": "MUG", "stock": 8}


@pytest.fixture
def feed(admin):
    """Reads a part of the feed."""

    def read(**query):
        answer = admin.get(FEED, query_string=query)
        assert answer.status_code == 200, answer.json
        return answer.json

    return read


def types(part):
    return [item["type"] for item in part["items"]]


def store_event(kind="order.placed", subject=1):
    row = Event(type=kind, subject_kind="order", subject_id=subject)
    db.session.add(row)
    db.session.flush()


def number(batch=event_feed.BATCH, told=()):
    return in_transaction(lambda: event_feed.number(told, batch))


def test_an_order_is_told_step_by_step(app, admin, customer, feed):
    product = inside(app, factories.product, price=1250, stock=50)
    start = feed()["next_after"]

    placed = order(customer, product, 2).json
    move(admin, placed, "processing", "shipped", "delivered")

    part = feed(after=start)
    assert types(part) == ["order.placed", "order.shipped", "order.delivered"]
    assert {(item["subject"]["kind"], item["subject"]["id"]) for item in part["items"]} == {
        ("order", placed["id"])
    }
    assert part["items"][0]["data"] == {
        "number": placed["number"], "status": "pending", "total": "25.00", "currency": "USD",
    }  # fmt: skip
    assert part["items"][0]["at"] == placed["placed_at"]
    assert part["next_after"] == part["items"][-1]["seq"]


def test_a_cancelled_order_is_told_once(app, customer, feed):
    product = inside(app, factories.product, stock=50)
    placed = order(customer, product).json
    for _ in range(2):
        customer.post(f"/api/orders/{placed['id']}/cancel")

    assert Counter(types(feed()))["order.cancelled"] == 1


def test_what_is_refused_or_rolled_back_has_no_event(app, admin, customer, feed):
    product = inside(app, factories.product, stock=50)
    fill(customer, product, 40)
    admin.post(f"/api/products/{product.id}/stock", json={"delta": -20, "reason": "loss"})
    start = feed()["next_after"]

    assert customer.post("/api/orders", json={}).status_code == 409

    def fail():
        store_event()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), app.app_context():
        in_transaction(fail)
    assert feed(after=start) == {"items": [], "next_after": start}


def test_products_are_told_where_something_differs(admin, feed):
    start = feed()["next_after"]
    product = admin.post("/api/products", json=PRODUCT).json
    path = f"/api/products/{product['id']}"

    admin.patch(path, json={"price": "13.00"})
    admin.patch(path, json={"price": "13.00"})
    admin.delete(path)

    part = feed(after=start)
    assert types(part) == ["product.created", "product.edited", "product.deleted"]
    assert [item["data"]["version"] for item in part["items"]] == [1, 2, 3]
    assert part["items"][0]["subject"] == {"kind": "product", "id": product["id"]}
    assert part["items"][0]["data"]["slug"] == product["slug"]


def test_stock_is_told_as_it_runs_low_and_out(app, admin, customer, feed):
    product = admin.post("/api/products", json=PRODUCT).json
    variant = product["variants"][0]["id"]
    row = inside(app, lambda: db.session.get(Product, product["id"]))
    start = feed()["next_after"]

    for quantity in (2, 1, 1, 4):  # leaves 6, 5, 4, 0
        assert order(customer, row, quantity).status_code == 201
    admin.post(f"/api/products/{product['id']}/stock", json={"delta": 6, "reason": "delivery"})
    order(customer, row, 1)

    told = [item for item in feed(after=start)["items"] if item["subject"]["kind"] == "variant"]
    assert [(item["type"], item["data"]["available"]) for item in told] == [
        ("stock.low", 5), ("stock.out", 0), ("stock.low", 5),
    ]  # fmt: skip
    assert told[0]["subject"]["id"] == variant
    assert (told[0]["data"]["sku"], told[0]["data"]["product_id"]) == ("MUG", product["id"])


def test_low_stock_is_what_the_environment_says(app, shops, admin, customer, feed):
    inside(shops(STORE_LOW_STOCK="20"), lambda: None)
    product = inside(app, factories.product, stock=21)
    order(customer, product)

    assert "stock.low" in types(feed())


def test_only_customers_are_told_to_register(app, feed, anyone):
    start = feed()["next_after"]
    person = {
        "email": "new@example.com", "password": "long enough passphrase",
        "first_name": "Ann", "last_name": "Lee",
    }  # fmt: skip
    answer = anyone.post("/api/auth/register", json=person)
    assert answer.status_code == 201
    inside(app, factories.user, role="admin")

    (item,) = feed(after=start)["items"]
    assert (item["type"], item["subject"]["kind"]) == ("customer.registered", "customer")
    assert item["data"] == {}


def test_the_feed_is_read_in_parts_and_by_type(app, feed):
    start = feed()["next_after"]
    with app.app_context():
        in_transaction(lambda: [store_event() for _ in range(3)])
        in_transaction(lambda: store_event("order.shipped"))

    first = feed(after=start, limit=2)
    rest = feed(after=first["next_after"])
    assert [item["seq"] for item in first["items"] + rest["items"]] == [
        start + place for place in range(1, 5)
    ]
    assert types(feed(after=start, type="order.shipped")) == ["order.shipped"]
    assert feed(after=2**63 - 1) == {"items": [], "next_after": 2**63 - 1}


@pytest.mark.parametrize(
    "query", [{"after": -1}, {"after": "x"}, {"limit": 0}, {"limit": 501}, {"type": "order.eaten"}]
)
def test_a_wrong_question_is_refused(admin, query):
    assert admin.get(FEED, query_string=query).status_code == 422


@pytest.mark.only_on("postgresql")
def test_what_commits_late_is_not_missed(app, feed):
    start = feed()["next_after"]
    is_stored, may_commit = threading.Event(), threading.Event()

    def commit_late():
        def work():
            store_event(subject=1)
            is_stored.set()
            assert may_commit.wait(PATIENCE)

        inside(app, lambda: in_transaction(work))

    late = threading.Thread(target=commit_late)
    late.start()
    assert is_stored.wait(PATIENCE)
    inside(app, lambda: in_transaction(lambda: store_event(subject=2)))
    first = feed(after=start)
    may_commit.set()
    late.join(PATIENCE)
    second = feed(after=first["next_after"])

    assert [item["subject"]["id"] for item in first["items"]] == [2]
    assert [item["subject"]["id"] for item in second["items"]] == [1]


@pytest.mark.races
def test_numbers_have_no_gap_and_each_event_is_passed_on_once(app):
    with app.app_context():
        number()
        before = db.session.scalar(db.select(db.func.max(Event.seq))) or 0
        for subject in range(40):
            in_transaction(lambda: store_event(subject=subject))  # noqa: B023
        db.session.remove()
    told = []

    def number_all():
        while number(3, [lambda events: told.extend(event.seq for event in events)]):
            pass

    at_once([lambda: inside(app, number_all)] * 6)

    assert sorted(told) == list(range(before + 1, before + 41))


def test_a_subscriber_that_fails_leaves_the_events_to_the_next(app):
    def fail(_events):
        raise ZeroDivisionError

    with app.app_context():
        number()
        in_transaction(store_event)
        with pytest.raises(ZeroDivisionError):
            number(told=[fail])
        assert number() == 1
        assert number() == 0


def test_the_worker_numbers_what_nobody_has_read(app):
    inside(app, lambda: in_transaction(store_event))

    Worker(app, KINDS, (), relays=RELAYS).drain()

    assert not inside(app, event_feed.is_any_unnumbered)


def test_what_cannot_be_passed_on_keeps_no_job_waiting(app, monkeypatch):
    def fail(_events):
        raise ZeroDivisionError

    def work():
        store_event()
        job_queue.enqueue("purge", "now")

    inside(app, lambda: in_transaction(work))
    monkeypatch.setattr(subscribers, "SUBSCRIBERS", [fail])
    worker = Worker(app, KINDS, (), relays=RELAYS)
    worker.drain()
    assert [job.status for job in rows(app, Job) if job.kind == "purge"] == ["done"]
    assert inside(app, event_feed.is_any_unnumbered)

    monkeypatch.setattr(subscribers, "SUBSCRIBERS", [])
    monkeypatch.setattr(worker, "_relay_from", 0.0)
    worker.drain()
    assert not inside(app, event_feed.is_any_unnumbered)


def test_old_events_go_but_the_newest(app):
    def make_old():
        db.session.execute(update(Event).values(at=seconds_from_now(-91 * 86_400)))

    with app.app_context():
        in_transaction(lambda: [store_event(subject=place) for place in range(3)])
        number()
        in_transaction(make_old)
        in_transaction(store_event)  # has no number yet
        (expired,) = [kind for kind in purge_service.expired_rows(90, 90) if kind.table is Event]
        in_transaction(lambda: purge_service.remove_batch(expired, 0))
        db.session.remove()

    assert [row.seq is None for row in rows(app, Event)] == [False, True]
    assert inside(app, number) == 1
    assert rows(app, Event)[1].seq == rows(app, Event)[0].seq + 1


def test_the_audit_notices_a_missing_and_an_untrue_event(app, customer):
    product = inside(app, factories.product, stock=50)
    first, second = (order(customer, product).json for _ in range(2))

    def spoil():
        db.session.execute(
            delete(Event).where(Event.subject_kind == "order", Event.subject_id == second["id"])
        )
        store_event("order.shipped", first["id"])
        for _ in range(2):
            store_event("order.cancelled", first["id"])

    with app.app_context():
        assert list(books.violations()) == []
        in_transaction(spoil)
        told = [line.partition(":")[0] for line in books.violations()]

    assert Counter(told) == {"event missing": 1, "event untrue": 3, "event twice": 1}


def test_steps_from_before_there_were_events_are_no_violation(app, customer):
    product = inside(app, factories.product, stock=50)
    first = order(customer, product).json

    def forget():
        db.session.execute(delete(Event).where(Event.subject_id == first["id"]))

    inside(app, lambda: in_transaction(forget))
    order(customer, product)

    assert len(rows(app, OrderEvent)) == 2
    assert inside(app, lambda: list(books.violations())) == []


def test_what_a_subscriber_is_passed(app, customer, monkeypatch):
    product = inside(app, factories.product, price=1250, stock=50)
    told = []
    monkeypatch.setattr(subscribers, "SUBSCRIBERS", [told.extend])
    fill(customer, product)
    placed = customer.post("/api/orders", json={}).json

    inside(app, lambda: in_transaction(subscribers.relay_events))

    (event,) = [event for event in told if event.type == "order.placed"]
    assert (event.subject_kind, event.subject_id) == ("order", placed["id"])
    assert event.data["total"] == 1250
    assert event.public_data["total"] == "12.50"

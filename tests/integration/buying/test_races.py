"""Races: whatever happens at the same time, nothing is oversold, lost or done twice."""

import threading
from collections import Counter
from itertools import chain, pairwise

import pytest
import requests
from sqlalchemy import event

from app.domain.order_status import ALLOWED
from app.extensions import db
from app.models import Cart, Order, OrderLine
from tests import factories, servers
from tests.integration.conftest import Caller, signed_in
from tests.integration.people import at_once, inside, login, patient, statuses
from tests.integration.shopping import fill, guest_order, move, order, stock
from tests.servers import PATIENCE

pytestmark = [pytest.mark.usefixtures("balanced_books"), pytest.mark.processes, pytest.mark.races]
# As many as one process has connections: more only wait for one.
THREADS = 8
UNITS = 200
"""How many units there are for the processes to sell."""


@pytest.fixture
def customers(app):
    """Eight signed-in customers."""
    return [signed_in(app) for _ in range(THREADS)]


def product_of(app, stock):
    return inside(app, factories.product, stock=stock)


def place(caller, **headers):
    return caller.post("/api/orders", json={}, headers=headers)


def units(caller):
    """What is in the caller's cart: units by product."""
    return {i["product_id"]: i["quantity"] for i in caller.get("/api/cart").json["items"]}


def ordered(app):
    """What was ordered: units by product."""
    rows = inside(app, lambda: db.session.scalars(db.select(OrderLine)).all())
    found = Counter()
    for row in rows:
        found[row.product_id] += row.quantity
    return dict(found)


def orders(app):
    return inside(app, lambda: factories.count(Order))


def test_the_last_unit_is_sold_once(app, customers):
    product = product_of(app, 1)
    for customer in customers:
        fill(customer, product)

    answers = at_once([lambda c=customer: place(c) for customer in customers])

    assert statuses(answers) == [201] + [409] * (THREADS - 1)
    assert {a.json["code"] for a in answers if a.status_code == 409} == {"out_of_stock"}
    assert stock(app, product) == (1, 1)
    assert orders(app) == 1


def test_thirty_buyers_share_ten_units(app):
    product = product_of(app, 10)
    buyers = [Caller(app) for _ in range(30)]
    for buyer in buyers:
        fill(buyer, product)

    def buy(some):
        return [b.post("/api/orders", json={"email": "guest@example.com"}) for b in some]

    rounds = at_once([lambda n=n: buy(buyers[n::THREADS]) for n in range(THREADS)])

    assert statuses(chain.from_iterable(rounds)) == [201] * 10 + [409] * 20
    assert stock(app, product) == (10, 10)


def test_the_same_key_sent_ten_times_at_once_places_one_order(app, customer):
    product = product_of(app, 10)
    fill(customer, product, 2)

    answers = at_once([patient(lambda: place(customer, **{"Idempotency-Key": "a-key"}))] * 10)

    assert statuses(answers) == [201] * 10
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
    assert (orders(app), stock(app, product)) == (1, (10, 2))


def test_the_same_guests_key_sent_at_once_opens_one_order_for_all(app, anyone):
    product = product_of(app, 10)
    fill(anyone, product)
    headers, body = {"Idempotency-Key": "a-key"}, {"email": "guest@example.com"}

    answers = at_once([lambda: anyone.post("/api/orders", json=body, headers=headers)] * THREADS)

    assert statuses(answers) == [201] * THREADS
    assert len({answer.data for answer in answers}) == 1
    assert orders(app) == 1


def test_without_a_key_one_cart_still_becomes_one_order(app, customer):
    fill(customer, product_of(app, 10))

    answers = at_once([lambda: place(customer)] * THREADS)

    assert statuses(answers) == [201] + [422] * (THREADS - 1)
    assert orders(app) == 1


def test_cancelling_twice_at_once_returns_the_stock_once(app, customer):
    product = product_of(app, 10)
    placed = order(customer, product, 4).json

    answers = at_once([lambda: customer.post(f"/api/orders/{placed['id']}/cancel")] * THREADS)

    assert statuses(answers) == [200] + [409] * (THREADS - 1)
    assert stock(app, product) == (10, 0)


def test_either_the_owner_cancels_or_the_goods_leave(app, admin, customers):
    product = product_of(app, 100)
    for customer in customers[:4]:
        placed = order(customer, product, 4).json
        move(admin, placed, "processing")
        path, body = f"/api/orders/{placed['id']}", {"status": "shipped"}

        answers = at_once(
            [
                lambda c=customer, p=path: c.post(f"{p}/cancel"),
                lambda p=path, b=body: admin.patch(f"{p}/status", json=b),
            ]
        )

        assert statuses(answers) == [200, 409]


def test_a_history_holds_only_steps_that_are_allowed(app, admin, customer):
    product = product_of(app, 10)
    placed = order(customer, product).json
    path = f"/api/orders/{placed['id']}"
    steps = [
        lambda s=status: admin.patch(f"{path}/status", json={"status": s})
        for status in ("processing", "shipped", "delivered", "cancelled") * 2
    ]

    answers = at_once(steps)

    history = [event["status"] for event in customer.get(path).json["history"]]
    assert set(statuses(answers)) <= {200, 409}
    assert all(after in ALLOWED[before] for before, after in pairwise(history))
    assert len(history) == 1 + statuses(answers).count(200)


def test_a_cart_that_is_edited_meanwhile_is_ordered_as_it_was_or_as_it_is(app, customers):
    first, second = product_of(app, 100), product_of(app, 100)
    for customer in customers[:5]:
        fill(customer, first, 2)
        item = fill(customer, second).json["items"][0]

        edited, placed = at_once(
            [
                lambda c=customer, i=item: c.patch(
                    f"/api/cart/items/{i['id']}", json={"quantity": 5}
                ),
                lambda c=customer: place(c),
            ]
        )

        quantities = [line["quantity"] for line in placed.json["items"]]
        assert placed.status_code == 201
        assert (edited.status_code, quantities) in ((200, [5, 1]), (404, [2, 1]))
        assert units(customer) == {}


def test_what_is_added_during_checkout_is_ordered_or_stays(app, customers):
    first, second = product_of(app, 100), product_of(app, 100)
    for customer in customers[:5]:
        fill(customer, first, 2)

        added, placed = at_once(
            [lambda c=customer: fill(c, second, 3), lambda c=customer: place(c)]
        )

        assert (added.status_code, placed.status_code) == (201, 201)
        in_order = {line["product_id"]: line["quantity"] for line in placed.json["items"]}
        assert {**in_order, **units(customer)} == {first.id: 2, second.id: 3}
        assert (second.id in in_order) != (second.id in units(customer))


def test_carts_in_opposite_orders_do_not_stand_in_each_others_way(app, customers):
    products = [product_of(app, 100) for _ in range(4)]
    for number, customer in enumerate(customers):
        for product in products if number % 2 else products[::-1]:
            fill(customer, product)

    answers = at_once([lambda c=customer: place(c) for customer in customers])

    assert statuses(answers) == [201] * THREADS
    assert ordered(app) == {product.id: THREADS for product in products}


def test_orders_and_corrections_of_stock_take_turns(app, admin, customers):
    product = product_of(app, 8)
    for customer in customers[:4]:
        fill(customer, product)
    less = {"delta": -1, "reason": "Broken"}
    path = f"/api/products/{product.id}/stock"

    answers = at_once(
        [lambda c=customer: place(c) for customer in customers[:4]]
        + [lambda: admin.post(path, json=less)] * 4
    )

    assert statuses(answers) == [200] * 4 + [201] * 4
    assert stock(app, product) == (4, 4)


def test_first_articles_put_in_at_once_land_in_one_cart(app, customer):
    products = [product_of(app, 10) for _ in range(THREADS)]

    answers = at_once([lambda p=product: fill(customer, p) for product in products])

    assert statuses(answers) == [201] * THREADS
    assert units(customer) == {product.id: 1 for product in products}
    assert inside(app, lambda: factories.count(Cart)) == 1


def test_the_same_article_put_in_at_once_adds_up(app, customer):
    product = product_of(app, 100)

    at_once([lambda: fill(customer, product, 2)] * THREADS)

    assert units(customer) == {product.id: 2 * THREADS}


def test_a_login_that_merges_carts_loses_and_doubles_nothing(app):
    first, second = product_of(app, 100), product_of(app, 100)
    for number in range(5):
        email = f"buyer{number}@example.com"
        customer, guest = signed_in(app, email=email), Caller(app)
        fill(customer, second, 2)
        fill(guest, first, 3)
        before, guest_body = ordered(app), {"email": "guest@example.com"}

        answers = at_once(
            [
                lambda c=customer: place(c),
                lambda g=guest, e=email: login(g, e),
                lambda g=guest, e=email: login(g, e),
                lambda g=guest, b=guest_body: g.post("/api/orders", json=b),
            ]
        )

        assert answers[0].status_code == 201
        assert (answers[1].status_code, answers[2].status_code) == (200, 200)
        assert answers[3].status_code in (201, 422)
        after = Counter(ordered(app)) + Counter(units(customer))
        assert after - Counter(before) == {first.id: 3, second.id: 2}
        assert units(guest) == {}


def test_guests_cancel_and_buy_at_once(app):
    product = product_of(app, 4)
    leaving = [Caller(app) for _ in range(4)]
    placed = [guest_order(guest, product) for guest in leaving]
    coming = [Caller(app) for _ in range(4)]
    for guest in leaving[:4]:
        guest.headers.pop("X-Cart-Token")

    def cancel(guest, number):
        return guest.post(f"/api/orders/{number}/cancel").status_code

    def buy(guest):
        while fill(guest, product).status_code == 409:
            pass
        return guest.post("/api/orders", json={"email": "guest@example.com"}).status_code

    answers = at_once(
        [
            lambda g=guest, n=one["number"]: cancel(g, n)
            for guest, one in zip(leaving, placed, strict=True)
        ]
        + [lambda g=guest: buy(g) for guest in coming]
    )

    assert answers[:4] == [200] * 4
    assert set(answers[4:]) <= {201, 409}
    assert stock(app, product) == (4, answers[4:].count(201))


def test_processes_sell_exactly_what_there_is(app, environ):
    product = product_of(app, UNITS)
    seen = Counter()
    counting = threading.Lock()

    def shop_until_sold_out(url):
        with requests.Session() as client:
            while True:
                answers = buy(client, url, product)
                with counting:
                    seen.update(answers)
                if answers[-1] != 201:
                    return

    with servers.shop(environ, workers=4) as url:
        at_once([lambda: shop_until_sold_out(url)] * THREADS)

    assert set(seen) == {201, 409}
    assert orders(app) == UNITS
    assert ordered(app) == {product.id: UNITS}
    assert stock(app, product) == (UNITS, UNITS)


def buy(client, url, product):
    """One guest's visit: the status codes of filling a cart and ordering it."""
    filled = client.post(f"{url}/api/cart/items", json={"product_id": product.id}, timeout=60)
    if filled.status_code != 201:
        return [filled.status_code]
    headers = {"X-Cart-Token": filled.headers["X-Cart-Token"]}
    body = {"email": "guest@example.com"}
    placed = client.post(f"{url}/api/orders", json=body, headers=headers, timeout=60)
    return [filled.status_code, placed.status_code]


@pytest.mark.parametrize("path", ["/api/orders/{number}", "/api/orders", "/api/orders?cursor="])
def test_an_order_that_moves_along_meanwhile_is_told_from_one_moment(app, admin, customer, path):
    placed = order(customer, product_of(app, 5)).json
    steps = iter(["processing"])

    def move_along(_connection, _cursor, statement, *_rest):
        if "FROM orders" in statement and (status := next(steps, None)):
            mover = threading.Thread(target=move, args=(admin, placed, status))
            mover.start()
            mover.join(PATIENCE)

    with app.app_context():
        event.listen(db.engine, "after_cursor_execute", move_along)
        try:
            answer = customer.get(path.format(**placed)).json
        finally:
            event.remove(db.engine, "after_cursor_execute", move_along)

    told = answer["items"][0] if "per_page" in answer else answer
    assert told["status"] == told["history"][-1]["status"]
    assert next(steps, None) is None

"""Staff at work at the same time: nothing is lost, nothing is there twice."""

import time
from threading import Event

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.catalogue.category_tree import with_descendants
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import Category, Product, StockMovement, Variant
from app.services.catalogue import category_service
from tests import factories
from tests.integration import people
from tests.servers import PATIENCE

pytestmark = [pytest.mark.races, pytest.mark.thorough]
URL = "/api/products"


def at_once(*calls):
    return people.at_once(calls)


@pytest.mark.parametrize("name", ["slug", "sku"])
def test_of_two_equal_explicit_names_one_is_taken(admin, name):
    body = {"name": "X", "price": 1, name: "wanted"}

    answers = at_once(*[lambda: admin.post(URL, json=body)] * 6)

    refused = [answer.json["code"] for answer in answers if answer.status_code == 409]
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    assert refused == [f"{name}_taken"] * 5


def test_made_up_names_never_collide(app, admin):
    answers = at_once(*[lambda: admin.post(URL, json={"name": "Lamp", "price": 1})] * 6)

    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.json["slug"] for answer in answers}) == 6
    assert len({answer.json["sku"] for answer in answers}) == 6


def test_of_two_equal_category_slugs_one_is_taken(admin):
    body = {"name": "X", "slug": "wanted"}

    answers = at_once(*[lambda: admin.post("/api/categories", json=body)] * 4)

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]


def test_edits_of_one_product_all_happen_one_after_another(app, admin):
    admin.post(URL, json={"name": "Lamp", "price": 1, "stock": 5})
    changes = [{"stock": 7}, {"stock": 3}, {"price": 2}, {"name": "Light"}, {"stock": 9}]

    answers = at_once(*[lambda c=c: admin.patch(f"{URL}/lamp", json=c) for c in changes])

    assert sorted(answer.json["version"] for answer in answers) == [2, 3, 4, 5, 6]
    with app.app_context():
        variant = db.session.query(Variant).one()
        ledger = sum(row.on_hand_delta for row in db.session.query(StockMovement))
        product = db.session.query(Product).one()
    assert variant.on_hand == ledger
    assert (product.version, product.name, product.price) == (6, "Light", 200)


def test_of_edits_bound_to_one_version_one_happens(admin):
    admin.post(URL, json={"name": "Lamp", "price": 1})

    answers = at_once(
        *[
            lambda n=n: admin.patch(
                f"{URL}/lamp", json={"name": f"Lamp {n}"}, headers={"If-Match": '"1"'}
            )
            for n in range(5)
        ]
    )

    assert sorted(answer.status_code for answer in answers) == [200, *[412] * 4]


@pytest.mark.parametrize("_round", range(5))
def test_two_moves_at_once_make_no_ring(app, admin, _round):
    with app.app_context():
        one, two = factories.category(), factories.category()

    at_once(
        lambda: admin.patch(f"/api/categories/{one.id}", json={"parent_id": two.id}),
        lambda: admin.patch(f"/api/categories/{two.id}", json={"parent_id": one.id}),
    )

    with app.app_context():
        nodes = db.session.query(Category).all()
    assert with_descendants(one.id, nodes) != with_descendants(two.id, nodes)


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_category_that_goes_while_somebody_wants_it_is_not_there(app, admin, method):
    with app.app_context():
        path = f"/api/categories/{factories.category().id}"
    gone = Event()

    def remove_slowly():
        category_service.delete_category(SYSTEM, path.rpartition("/")[2])
        gone.set()
        time.sleep(0.5)

    def remove():
        with app.app_context():
            in_transaction(remove_slowly)

    def want():
        gone.wait(PATIENCE)
        return admin.call(method, path, json={"name": "New"} if method == "PATCH" else None)

    _, answer = at_once(remove, want)

    assert answer.status_code == 404


@pytest.mark.parametrize("_round", range(5))
def test_a_category_is_not_removed_under_a_product_that_is_being_made(app, admin, _round):
    with app.app_context():
        category = factories.category()
    body = {"name": "X", "price": 1, "category_id": category.id}

    removed, made = at_once(
        lambda: admin.delete(f"/api/categories/{category.id}"),
        lambda: admin.post(URL, json=body),
    )

    assert (removed.status_code, made.status_code) in {(204, 422), (409, 201)}


def test_sales_and_edits_of_stock_keep_the_ledger_true(app, admin):
    made = admin.post(URL, json={"name": "Lamp", "price": 1, "stock": 50}).json
    path = f"{URL}/{made['id']}"
    adjust = {"delta": -1, "reason": "broken"}

    at_once(
        *[lambda: admin.post(f"{path}/stock", json=adjust)] * 4,
        *[lambda: admin.patch(path, json={"stock": 40})] * 2,
    )

    with app.app_context():
        variant = db.session.query(Variant).one()
        ledger = sum(row.on_hand_delta for row in db.session.query(StockMovement))
    assert variant.on_hand == ledger
    assert 36 <= variant.on_hand <= 40

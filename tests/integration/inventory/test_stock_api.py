"""Stock over HTTP: corrected by staff, never below what is promised, every change in the ledger."""

import pytest

from app.domain.catalogue.variant_rules import MAX_STOCK
from app.extensions import db
from app.models import StockMovement, Variant
from tests import factories
from tests.integration.people import inside, rows
from tests.integration.shopping import change, guest_order, move, order, statements_for, stock

pytestmark = pytest.mark.usefixtures("balanced_books")


@pytest.fixture
def product(app):
    return inside(app, factories.product, stock=10)


@pytest.fixture
def shirt(app):
    sizes = [{"options": {"Size": size}, "stock": 5} for size in ("S", "M")]
    return inside(app, factories.product_with_variants, sizes)


def correct(caller, product, **body):
    return caller.post(f"/api/products/{product.id}/stock", json={"reason": "Counted", **body})


def test_a_delivery_raises_what_is_on_hand(app, admin, product):
    response = correct(admin, product, delta=5, reason="Delivery 17")

    variant = product.variants[0]
    assert response.status_code == 200
    assert response.json == {
        "variant_id": variant.id, "sku": variant.sku, "on_hand": 15, "allocated": 0, "stock": 15,
    }  # fmt: skip
    assert stock(app, product) == (15, 0)


def test_a_count_sets_what_is_on_hand(admin, customer, product):
    order(customer, product, 3)

    response = correct(admin, product, on_hand=4)

    assert (response.json["on_hand"], response.json["allocated"], response.json["stock"]) == (
        4,
        3,
        1,
    )


def test_a_product_is_found_by_its_slug(admin, product):
    response = admin.post(
        f"/api/products/{product.slug}/stock", json={"delta": 1, "reason": "Found one"}
    )

    assert response.status_code == 200


@pytest.mark.parametrize("body", [{"delta": -8}, {"on_hand": 2}, {"delta": -10_000}])
def test_what_is_promised_cannot_be_taken_away(app, admin, customer, product, body):
    order(customer, product, 3)

    response = correct(admin, product, **body)

    assert (response.status_code, response.json["code"]) == (409, "stock_promised")
    assert stock(app, product) == (10, 3)


@pytest.mark.parametrize("body", [{"delta": -7}, {"on_hand": 3}])
def test_all_that_is_not_promised_can_be_taken_away(app, admin, customer, product, body):
    order(customer, product, 3)

    response = correct(admin, product, **body)

    assert (response.status_code, response.json["stock"]) == (200, 0)
    assert stock(app, product) == (3, 3)


@pytest.mark.parametrize("body", [{"delta": MAX_STOCK - 10}, {"on_hand": MAX_STOCK}])
def test_as_much_as_there_may_be_can_be_on_hand(app, admin, product, body):
    full, more = correct(admin, product, **body), correct(admin, product, delta=1)

    assert (full.status_code, more.status_code) == (200, 422)
    assert stock(app, product) == (MAX_STOCK, 0)


def test_the_ledger_holds_who_made_each_change(app, admin, customer, anyone, product):
    placed = order(customer, product, 2).json
    guest_order(anyone, product)
    customer.post(f"/api/orders/{placed['id']}/cancel")
    move(admin, order(customer, product, 3).json, "processing", "shipped")
    correct(admin, product, delta=-1)
    admin.patch(f"/api/products/{product.id}", json={"stock": 9})

    ledger = [(row.reason, row.user_id) for row in rows(app, StockMovement)]
    assert ledger[1:6] == [
        ("order placed", customer.user_id),
        ("order placed", None),
        ("order cancelled", customer.user_id),
        ("order placed", customer.user_id),
        ("order shipped", admin.user_id),
    ]
    assert [user_id for _reason, user_id in ledger[6:]] == [admin.user_id] * 2


def test_no_change_leaves_no_trace(app, admin, product):
    response = correct(admin, product, on_hand=10)

    assert response.status_code == 200
    assert inside(app, lambda: factories.count(StockMovement)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "delta"),
        ({"delta": 1, "on_hand": 1}, "delta"),
        ({"delta": "1"}, "delta"),
        ({"delta": 1.5}, "delta"),
        ({"delta": 2**63}, "delta"),
        ({"delta": 1_000_000_000}, "delta"),
        ({"on_hand": -1}, "on_hand"),
        ({"delta": 1, "reason": ""}, "reason"),
        ({"delta": 1, "reason": "x" * 201}, "reason"),
        ({"delta": 1, "reason": None}, "reason"),
        ({"delta": 1, "allocated": 1}, "allocated"),
        ({"delta": 1, "variant_id": 10**15}, "variant_id"),
    ],
)
def test_a_wrong_correction_is_refused_by_field(app, admin, product, body, field):
    response = correct(admin, product, **body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]
    assert stock(app, product) == (10, 0)


def test_a_correction_needs_a_reason(admin, product):
    response = admin.post(f"/api/products/{product.id}/stock", json={"delta": 1})

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["reason"]


def test_of_several_active_variants_one_must_be_named(app, admin, shirt):
    refused = correct(admin, shirt, delta=1)
    named = correct(admin, shirt, delta=1, variant_id=shirt.variants[1].id)

    assert (refused.status_code, refused.json["code"]) == (422, "variant_required")
    assert (named.status_code, named.json["on_hand"]) == (200, 6)
    assert stock(app, shirt) == (5, 0)


def test_the_only_active_variant_need_not_be_named(app, admin, shirt):
    change(app, shirt.variants[0], is_active=False)

    assert correct(admin, shirt, delta=1).json["variant_id"] == shirt.variants[1].id
    assert correct(admin, shirt, delta=1, variant_id=shirt.variants[0].id).status_code == 200


def test_a_variant_of_another_product_is_refused(admin, product, shirt):
    response = correct(admin, product, delta=1, variant_id=shirt.variants[0].id)

    assert response.status_code == 422


@pytest.mark.parametrize("reference", ["0", "nothing", "%00", "9" * 30, "-1", "A B"])
def test_products_that_are_none_are_not_found(admin, reference):
    path = f"/api/products/{reference}/stock"

    assert admin.post(path, json={"delta": 1, "reason": "Counted"}).status_code == 404
    assert admin.get(path).status_code == 404


def test_only_staff_see_and_change_stock(anyone, customer, product):
    path = f"/api/products/{product.id}/stock"

    assert (anyone.get(path).status_code, customer.get(path).status_code) == (401, 403)
    assert (anyone.post(path).status_code, customer.post(path).status_code) == (401, 403)


def test_the_ledger_tells_every_change_newest_first(app, admin, customer, product):
    kept, sent = order(customer, product, 2).json, order(customer, product, 3).json
    customer.post(f"/api/orders/{kept['id']}/cancel")
    move(admin, sent, "processing", "shipped")
    correct(admin, product, delta=-1, reason="Broken")

    response = admin.get(f"/api/products/{product.slug}/stock")

    assert [
        (row["on_hand_delta"], row["allocated_delta"], row["reason"], row["order_number"])
        for row in response.json["items"]
    ] == [
        (-1, 0, "Broken", None),
        (-3, -3, "order shipped", sent["number"]),
        (0, -2, "order cancelled", kept["number"]),
        (0, 3, "order placed", sent["number"]),
        (0, 2, "order placed", kept["number"]),
        (10, 0, "initial stock", None),
    ]
    first = response.json["items"][0]
    assert first["variant_id"] == product.variants[0].id
    assert first["at"].endswith("Z")
    assert response.headers["Cache-Control"] == "no-store"


def test_the_ledger_comes_in_pages_and_by_variant(admin, shirt):
    for _ in range(3):
        correct(admin, shirt, delta=1, variant_id=shirt.variants[0].id)
    path = f"/api/products/{shirt.id}/stock"

    page = admin.get(f"{path}?per_page=2&page=2").json
    second = admin.get(f"{path}?variant_id={shirt.variants[1].id}").json

    assert (len(page["items"]), page["total"], page["pages"]) == (2, 5, 3)
    assert [row["variant_id"] for row in second["items"]] == [shirt.variants[1].id]
    assert admin.get(f"{path}?per_page=101").status_code == 422


def test_the_ledger_takes_as_many_statements_for_many_rows_as_for_few(
    app, admin, customer, product
):
    order(customer, product)
    path = f"/api/products/{product.id}/stock"
    for_few = statements_for(app, lambda: admin.get(path))
    for _ in range(5):
        order(customer, product)

    assert statements_for(app, lambda: admin.get(path)) == for_few


def test_a_deleted_product_has_no_stock_to_correct(app, admin, product):
    assert admin.delete(f"/api/products/{product.id}").status_code == 204

    assert correct(admin, product, delta=1).status_code == 404
    with app.app_context():
        assert db.session.get(Variant, product.variants[0].id).on_hand == 10

"""Promotions and their codes over HTTP."""

import pytest

from tests import factories
from tests.integration.pricing.shop import created
from tests.integration.shopping import order

PATH = "/api/promotions"
TENTH = {"name": "Tenth", "kind": "percentage", "value": "10"}


def promotion(admin, **fields):
    return created(admin.post(PATH, json={**TENTH, **fields}))


def test_a_promotion_is_created_changed_and_removed(admin):
    first = promotion(admin)
    assert first == {
        "id": first["id"], "name": "Tenth", "kind": "percentage", "value": "10", "product_ids": [],
        "category_ids": [], "get_product_ids": [], "get_category_ids": [], "min_subtotal": "0.00",
        "min_quantity": 0, "buy_quantity": 0, "get_quantity": 0, "max_sets": None,
        "needs_code": False, "priority": 0, "exclusive": False, "limit_total": None,
        "limit_per_customer": None, "is_active": True, "starts_at": None, "ends_at": None, "used": 0,
    }  # fmt: skip
    path = f"{PATH}/{first['id']}"
    edited = admin.patch(path, json={"value": "12.5", "ends_at": "2030-01-01T00:00:00Z"}).json
    assert (edited["value"], edited["ends_at"]) == ("12.5", "2030-01-01T00:00:00.000Z")
    assert admin.get(PATH).json["items"] == [edited]
    money = admin.patch(path, json={"kind": "fixed_amount", "value": "5"}).json
    assert money["value"] == "5.00"
    assert admin.patch(path, json={"kind": "percentage"}).status_code == 422
    assert admin.delete(path).status_code == 204
    assert admin.get(path).status_code == 404
    assert admin.get(PATH).json["items"] == []


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"value": "0"}, "value"), ({"value": "100.1"}, "value"), ({"value": 10}, "value"),
        ({"value": None}, "value"), ({"kind": "fixed_amount", "value": "1.005"}, "value"),
        ({"kind": "free_shipping", "value": "3"}, "value"), ({"kind": "gift"}, "kind"),
        ({"kind": "buy_x_get_y", "get_quantity": 1}, "buy_quantity"),
        ({"product_ids": [10**15]}, "product_ids"), ({"category_ids": [10**15]}, "category_ids"),
        ({"product_ids": list(range(1, 502))}, "product_ids"),
        ({"starts_at": "2030-01-02", "ends_at": "2030-01-01"}, "ends_at"),
        ({"starts_at": "soon"}, "starts_at"), ({"limit_total": 0}, "limit_total"),
        ({"name": ""}, "name"), ({"get_product_ids": [1]}, "get_product_ids"),
        ({"min_subtotal": "-1"}, "min_subtotal"), ({"priority": 1001}, "priority"),
    ],
)  # fmt: skip
def test_what_is_no_promotion_is_refused(admin, fields, error):
    answer = admin.post(PATH, json={**TENTH, **fields})
    assert answer.status_code == 422
    assert list(answer.json["errors"]) == [error]


def test_no_article_is_both_to_be_bought_and_to_be_gained(app, admin):
    with app.app_context():
        above = factories.category()
        below = factories.category(parent_id=above.id)
        lamp, mug = factories.product(category_id=below.id), factories.product()
    sets = {"kind": "buy_x_get_y", "value": None, "buy_quantity": 2, "get_quantity": 1}
    overlaps = (
        {"get_product_ids": [lamp.id]},
        {"product_ids": [lamp.id], "get_product_ids": [lamp.id]},
        {"category_ids": [above.id], "get_category_ids": [below.id]},
        {"category_ids": [above.id], "get_product_ids": [lamp.id]},
        {"product_ids": [lamp.id], "get_category_ids": [above.id]},
    )
    for articles in overlaps:
        answer = admin.post(PATH, json={**TENTH, **sets, **articles})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["get_product_ids"])
    fine = promotion(admin, **sets, product_ids=[lamp.id], get_product_ids=[mug.id])
    assert (fine["value"], fine["get_product_ids"]) == ("100", [mug.id])


def test_codes_are_added_listed_and_removed(admin):
    path = f"{PATH}/{promotion(admin, needs_code=True)['id']}/codes"
    welcome = created(admin.post(path, json={"code": " Welcome10 ", "limit_total": 5}))["items"]
    assert welcome == [{"id": welcome[0]["id"], "code": "Welcome10", "limit_total": 5, "used": 0}]
    taken = admin.post(path, json={"code": "WELCOME10"})
    assert (taken.status_code, taken.json["code"]) == (409, "code_taken")

    many = created(admin.post(path, json={"count": 300, "prefix": "S-", "length": 8}))["items"]
    codes = {row["code"] for row in many}
    assert len(codes) == 300
    assert all(len(code) == 10 and code.startswith("S-") for code in codes)
    assert not any(set("ILO01") & set(code) for code in codes)
    assert admin.get(path).json["total"] == 301
    for reference in ("wELCOME10", many[0]["code"], str(many[1]["id"])):
        assert admin.delete(f"{path}/{reference}").status_code == 204
    assert admin.delete(f"{path}/welcome10").status_code == 404
    assert admin.get(path).json["total"] == 298


@pytest.mark.parametrize(
    "fields",
    [{}, {"code": ""}, {"code": "a", "count": 1}, {"count": 10_001}, {"count": 0},
     {"count": 1, "length": 7}, {"count": 1, "prefix": "ä"}, {"code": "x" * 51}],
)  # fmt: skip
def test_what_are_no_codes_is_refused(admin, fields):
    path = f"{PATH}/{promotion(admin)['id']}/codes"
    assert admin.post(path, json=fields).status_code == 422


def test_a_limit_counts_the_orders_from_before_it(app, admin, customer):
    with app.app_context():
        mug = factories.product(stock=10)
    tenth = promotion(admin)
    for _ in range(2):
        order(customer, mug)
    path = f"{PATH}/{tenth['id']}"
    assert admin.get(path).json["used"] == 2
    refused = admin.patch(path, json={"limit_total": 1})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["limit_total"])
    assert admin.patch(path, json={"limit_total": 3}).json["used"] == 2
    assert order(customer, mug).json["discount_total"] == "1.00"
    assert order(customer, mug).json["discount_total"] == "0.00"

"""Products over HTTP: made, read, edited, deleted, listed; who sees what."""

import base64
import json

import pytest

from app.domain.clock import utc_now
from app.extensions import db
from app.models import Product, StockMovement, Variant
from app.schemas.products import ProductSchema, VariantSchema
from tests import factories

URL = "/api/products"


def make(admin, **body):
    response = admin.post(URL, json={"name": "Lamp", "price": "10.00", **body})
    assert response.status_code == 201, response.json
    return response.json


def slugs(response):
    assert response.status_code == 200, response.json
    return [item["slug"] for item in response.json["items"]]


# --- making ---


def test_a_simple_product_is_made_with_price_sku_and_stock(app, admin, anyone):
    with app.app_context():
        category = factories.category(name="Lamps", slug="lamps")
    body = {"name": "Red Lamp", "price": "49.00", "sku": "RL-1", "stock": 7, "description": "A\r\nB",
            "category_id": category.id, "slug": "red", "compare_at_price": 60.5}  # fmt: skip

    response = admin.post(URL, json=body)

    made = response.json
    assert response.status_code == 201
    assert response.headers["Location"] == f"/api/products/{made['id']}"
    assert made == {
        "id": made["id"], "name": "Red Lamp", "slug": "red", "description": "A\nB",
        "category": {"id": category.id, "name": "Lamps", "slug": "lamps"}, "sku": "RL-1",
        "price": "49.00", "from_price": "49.00", "currency": "USD", "compare_at_price": "60.50", "stock": 7,
        "in_stock": True, "weight": 0, "tax_class": "standard", "requires_shipping": True,
        "is_active": True, "version": 1, "images": [], "options": [],
        "variants": [{"id": made["variants"][0]["id"], "sku": "RL-1", "options": {},
                      "price": "49.00", "stock": 7, "in_stock": True, "weight": 0, "is_active": True}],
        "created_at": made["created_at"], "updated_at": made["updated_at"],
    }  # fmt: skip
    assert anyone.get(f"{URL}/red").json == anyone.get(f"{URL}/{made['id']}").json == made


def test_the_answer_has_the_documented_fields(admin):
    made = make(admin)

    assert set(made) == set(ProductSchema().fields) - {"category_id"}
    assert set(made["variants"][0]) == set(VariantSchema().fields)


def test_first_stock_is_in_the_ledger(app, admin):
    made = make(admin, stock=7)

    with app.app_context():
        movement = db.session.query(StockMovement).one()
    assert (movement.variant_id, movement.on_hand_delta) == (made["variants"][0]["id"], 7)
    assert movement.user_id == admin.user_id


def test_made_up_names_get_a_suffix_where_they_are_taken(admin):
    first, second = make(admin), make(admin)

    assert (first["slug"], first["sku"]) == ("lamp", "LAMP")
    assert second["slug"].startswith("lamp-")
    assert second["sku"].startswith("LAMP-")


def test_explicit_names_that_are_taken_are_refused(app, admin):
    make(admin, slug="red", sku="R-1")

    slug = admin.post(URL, json={"name": "X", "price": 1, "slug": "red"})
    sku = admin.post(URL, json={"name": "X", "price": 1, "sku": "R-1"})

    assert (slug.status_code, slug.json["code"]) == (409, "slug_taken")
    assert (sku.status_code, sku.json["code"]) == (409, "sku_taken")
    with app.app_context():
        assert factories.count(Product) == 1


def test_skus_are_case_sensitive(admin):
    make(admin, sku="r-1")

    assert make(admin, sku="R-1")["sku"] == "R-1"


# --- reading ---


@pytest.mark.parametrize(
    "path", ["%00", "999999999", str(2**63), "0", "007", "no-such", "A%20B", "-1", "%ff", "1.0"]
)
def test_what_is_no_product_is_not_found(anyone, admin, path):
    assert anyone.get(f"{URL}/{path}").status_code == 404
    for method in ("GET", "PATCH", "DELETE"):
        assert admin.call(method, f"{URL}/{path}", json={"name": "x"}).status_code == 404


def test_the_same_answer_is_not_sent_twice(anyone, admin):
    path = f"{URL}/{make(admin)['id']}"
    etag = anyone.get(path).headers["ETag"]

    same = anyone.get(path, headers={"If-None-Match": f'"other", {etag}'})
    weak = anyone.get(path, headers={"If-None-Match": f"W/{etag}"})
    other = anyone.get(path, headers={"If-None-Match": '"other"'})

    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", etag)
    assert weak.status_code == 304
    assert other.status_code == 200


def test_a_change_of_stock_changes_the_etag_but_not_the_version(anyone, admin):
    made = make(admin, stock=1)
    before = anyone.get(f"{URL}/{made['id']}")

    admin.post(f"{URL}/{made['id']}/stock", json={"delta": 1, "reason": "found"})

    after = anyone.get(f"{URL}/{made['id']}")
    assert after.json["stock"] == 2
    assert after.json["version"] == before.json["version"]
    assert after.headers["ETag"] != before.headers["ETag"]


def test_inactive_products_are_seen_by_staff_only(anyone, customer, admin):
    hidden = make(admin, is_active=False)
    path = f"{URL}/{hidden['id']}"

    assert admin.get(path).json["is_active"] is False
    assert slugs(admin.get(f"{URL}?is_active=false")) == ["lamp"]
    assert slugs(admin.get(f"{URL}?is_active=true")) == []
    for caller in (anyone, customer):
        assert caller.get(path).status_code == 404
        assert caller.get(f"{URL}/lamp").status_code == 404
        assert slugs(caller.get(URL)) == []
        assert slugs(caller.get(f"{URL}?is_active=false")) == []
        assert slugs(caller.get(f"{URL}?q=lamp")) == []


def test_staff_and_others_never_get_each_others_answers(anyone, admin):
    path = f"{URL}/{make(admin)['id']}"

    for _ in range(3):
        assert anyone.get(path).status_code == admin.get(path).status_code == 200
    admin.patch(path, json={"is_active": False})

    assert anyone.get(path).status_code == 404
    assert admin.get(path).status_code == 200
    assert anyone.get(path).status_code == 404


# --- editing ---


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_edit_changes_the_fields_that_are_sent_and_raises_the_version(admin, anyone, method):
    made = make(admin, description="Old", compare_at_price="20.00", stock=3)

    response = admin.call(method, f"{URL}/lamp", json={"name": "Light", "compare_at_price": None})

    assert response.status_code == 200
    expected = {**made, "name": "Light", "compare_at_price": None, "version": 2}
    assert {**response.json, "updated_at": made["updated_at"]} == expected
    assert anyone.get(f"{URL}/lamp").json == response.json


def test_an_empty_edit_changes_nothing(admin):
    made = make(admin)

    assert admin.patch(f"{URL}/lamp", json={}).json == made


def test_price_sku_and_stock_of_a_simple_product_can_be_edited(admin):
    variant = make(admin, stock=3)["variants"][0]

    edited = admin.patch(f"{URL}/lamp", json={"price": "5.50", "sku": "L", "stock": 9}).json

    assert (edited["price"], edited["sku"], edited["stock"]) == ("5.50", "L", 9)
    assert edited["variants"] == [{**variant, "price": "5.50", "sku": "L", "stock": 9}]


def test_stock_written_is_what_can_be_sold(app, admin):
    made = make(admin, stock=10)
    with app.app_context():
        variant = db.session.get(Variant, made["variants"][0]["id"])
        variant.allocated = 4
        db.session.commit()

    edited = admin.patch(f"{URL}/lamp", json={"stock": 8}).json

    assert edited["stock"] == 8
    with app.app_context():
        variant = db.session.get(Variant, made["variants"][0]["id"])
        assert (variant.on_hand, variant.allocated) == (12, 4)
        moved = [m.on_hand_delta for m in db.session.query(StockMovement).order_by("id")]
    assert moved == [10, 2]


def test_a_product_moves_between_categories_and_out_of_them(app, admin):
    with app.app_context():
        category = factories.category(slug="lamps")
    make(admin)

    moved = admin.patch(f"{URL}/lamp", json={"category_id": category.id}).json
    out = admin.patch(f"{URL}/lamp", json={"category_id": None}).json
    lost = admin.patch(f"{URL}/lamp", json={"category_id": 999_999})

    assert moved["category"]["slug"] == "lamps"
    assert out["category"] is None
    assert (lost.status_code, list(lost.json["errors"])) == (422, ["category_id"])


def test_a_new_slug_is_taken_over_and_the_old_one_is_free(admin, anyone):
    make(admin, slug="old")
    make(admin, slug="other")

    assert admin.patch(f"{URL}/old", json={"slug": "old"}).status_code == 200
    assert admin.patch(f"{URL}/old", json={"slug": "other"}).json["code"] == "slug_taken"
    anyone.get(f"{URL}/old")
    anyone.get(f"{URL}/old")
    assert admin.patch(f"{URL}/old", json={"slug": "new"}).status_code == 200
    assert anyone.get(f"{URL}/old").status_code == 404
    assert anyone.get(f"{URL}/new").status_code == 200


@pytest.mark.parametrize(
    ("if_match", "status"),
    [('"1"', 200), ('"7", "1"', 200), ("*", 200), ('"2"', 412), ('W/"1"', 412), ('""', 412)],
)
def test_an_edit_can_be_bound_to_a_version(admin, if_match, status):
    make(admin)

    response = admin.patch(f"{URL}/lamp", json={"name": "X"}, headers={"If-Match": if_match})

    assert response.status_code == status
    if status == 412:
        assert response.json["code"] == "precondition_failed"
        assert admin.get(f"{URL}/lamp").json["name"] == "Lamp"


def test_an_etag_binds_an_edit_to_the_version_that_was_read(admin, anyone):
    make(admin)
    bound = {"If-Match": anyone.get(f"{URL}/lamp").headers["ETag"]}

    first = admin.patch(f"{URL}/lamp", json={"name": "X"}, headers=bound)
    second = admin.delete(f"{URL}/lamp", headers=bound)

    assert (first.status_code, second.status_code) == (200, 412)


# --- deleting ---


def test_a_deleted_product_is_gone_and_its_names_are_free(app, admin, anyone):
    made = make(admin, slug="red", sku="R-1")

    response = admin.delete(f"{URL}/red")

    assert (response.status_code, response.data) == (204, b"")
    for caller in (anyone, admin):
        assert caller.get(f"{URL}/{made['id']}").status_code == 404
        assert slugs(caller.get(URL)) == []
    assert admin.delete(f"{URL}/red").status_code == 404
    assert make(admin, slug="red", sku="R-1")["id"] != made["id"]
    with app.app_context():
        assert db.session.get(Variant, made["variants"][0]["id"]).deleted_at <= utc_now()


# --- lists ---


@pytest.fixture
def shop(app):
    """Four products: apple 3.00, banana 1.00, Cherry 2.00 (all gone), date 2.00."""
    with app.app_context():
        fruit = factories.category(slug="fruit")
        exotic = factories.category(slug="exotic", parent_id=fruit.id)
        factories.product(300, name="apple", slug="apple", category_id=fruit.id)
        factories.product(100, name="banana", slug="banana", category_id=exotic.id)
        factories.product(200, stock=0, name="Cherry", slug="cherry", category_id=fruit.id)
        factories.product(200, name="date", slug="date")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["date", "cherry", "banana", "apple"]),
        ("sort=created_at", ["apple", "banana", "cherry", "date"]),
        ("sort=name", ["apple", "banana", "cherry", "date"]),
        ("sort=-name", ["date", "cherry", "banana", "apple"]),
        ("sort=price", ["banana", "cherry", "date", "apple"]),
        ("sort=-price", ["apple", "cherry", "date", "banana"]),
        ("category=fruit&sort=name", ["apple", "banana", "cherry"]),
        ("category=exotic", ["banana"]),
        ("category=no-such", []),
        ("category=%00", None),
        ("min_price=2.00&max_price=2&sort=name", ["cherry", "date"]),
        ("min_price=9", []),
        ("in_stock=true&sort=name", ["apple", "banana", "date"]),
        ("in_stock=false", ["cherry"]),
        ("utm_source=mail&q=&sort=name", ["apple", "banana", "cherry", "date"]),
    ],
)
def test_lists_filter_and_sort(anyone, shop, query, found):
    response = anyone.get(f"{URL}?{query}")

    if found is None:
        assert response.status_code == 422
    else:
        assert slugs(response) == found
        assert response.json["total"] == len(found)


def test_a_category_can_be_named_by_id(anyone, shop):
    id_ = anyone.get("/api/categories/fruit").json["id"]

    assert slugs(anyone.get(f"{URL}?category={id_}&sort=name")) == ["apple", "banana", "cherry"]


def test_pages_carry_links_and_totals(anyone, shop):
    response = anyone.get(f"{URL}?per_page=3&page=1&sort=name")

    assert slugs(response) == ["apple", "banana", "cherry"]
    assert {k: v for k, v in response.json.items() if k != "items"} == {
        "page": 1, "per_page": 3, "pages": 2, "total": 4,
    }  # fmt: skip
    assert 'page=2&sort=name>; rel="next"' in response.headers["Link"].replace("per_page=3&", "")
    assert slugs(anyone.get(f"{URL}?per_page=3&page=9")) == []


@pytest.mark.parametrize("sort", ["name", "-name", "price", "-price", "created_at", "-created_at"])
def test_a_cursor_walks_through_all_in_order(anyone, shop, sort):
    in_pages = slugs(anyone.get(f"{URL}?sort={sort}"))

    walked, cursor = [], ""
    while cursor is not None:
        response = anyone.get(f"{URL}?sort={sort}&per_page=1&cursor={cursor}")
        walked += slugs(response)
        cursor = response.json["next_cursor"]

    assert walked == in_pages


def test_a_cursor_holds_for_its_own_order_only(anyone, shop):
    cursor = anyone.get(f"{URL}?sort=name&per_page=1&cursor=").json["next_cursor"]

    assert anyone.get(f"{URL}?sort=price&cursor={cursor}").status_code == 422


@pytest.mark.parametrize(
    ("sort", "content"),
    [
        ("created_at", ["created_at", "0001-01-01T00:00:00+14:00", 1]),
        ("created_at", ["created_at", "2026-01-01T00:00:00", 1]),
        ("created_at", ["created_at", 5, 1]),
        ("price", ["price", 2**63, 1]),
        ("price", ["price", 1.5, 1]),
        ("price", ["price", 1, 2**63]),
        ("price", ["price", 1]),
        ("price", {}),
        ("name", ["name", "a\x00", 1]),
        ("name", ["name", "\ud800", 1]),
        ("name", ["name", "a" * 1001, 1]),
    ],
)
def test_a_forged_cursor_is_refused(anyone, shop, sort, content):
    cursor = base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    response = anyone.get(f"{URL}?sort={sort}&cursor={cursor}")

    assert list(response.json["errors"]) == ["cursor"]


@pytest.mark.parametrize(
    "query",
    ["sort=size", "sort=relevance", "cursor=&q=x", "cursor=&q=x&sort=relevance", "cursor=&page=1",
     "cursor=garbage", "cursor=%00", "cursor=AAAA", "per_page=0", "per_page=101", "per_page=1.5",
     "per_page=100000", "page=0", "page=-1", "page=x", f"page={2**63}", "min_price=x",
     "min_price=NaN", "max_price=1.999", "max_price=-1", f"max_price={2**63}", "in_stock=maybe",
     "is_active=2", "q=a%00b", "q=" + "x" * 201, "category=" + "x" * 201, "page=1001&per_page=10"],
)  # fmt: skip
def test_a_wrong_question_is_refused(anyone, query):
    response = anyone.get(f"{URL}?{query}")

    assert response.status_code == 422, response.json


def test_a_cursor_goes_with_words_in_another_order(anyone, shop):
    response = anyone.get(f"{URL}?q=an&sort=name&cursor=")

    assert response.status_code == 200
    assert response.json["next_cursor"] is None


# --- refusals ---


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"price": "1"}, "name"),
        ({"name": "x"}, "price"),
        ({"name": "", "price": "1"}, "name"),
        ({"name": "x" * 201, "price": "1"}, "name"),
        ({"name": ["x"], "price": "1"}, "name"),
        ({"name": "a\nb", "price": "1"}, "name"),
        ({"name": "x", "price": "1.999"}, "price"),
        ({"name": "x", "price": "-1"}, "price"),
        ({"name": "x", "price": None}, "price"),
        ({"name": "x", "price": True}, "price"),
        ({"name": "x", "price": "NaN"}, "price"),
        ({"name": "x", "price": 2**63}, "price"),
        ({"name": "x", "price": "1", "stock": -1}, "stock"),
        ({"name": "x", "price": "1", "stock": 1.5}, "stock"),
        ({"name": "x", "price": "1", "stock": "1"}, "stock"),
        ({"name": "x", "price": "1", "stock": 10**9 + 1}, "stock"),
        ({"name": "x", "price": "1", "stock": 2**63}, "stock"),
        ({"name": "x", "price": "1", "sku": ""}, "sku"),
        ({"name": "x", "price": "1", "sku": "x" * 65}, "sku"),
        ({"name": "x", "price": "1", "sku": "a\u200bb"}, "sku"),
        ({"name": "x", "price": "1", "slug": "123"}, "slug"),
        ({"name": "x", "price": "1", "slug": "x" * 121}, "slug"),
        ({"name": "x", "price": "1", "slug": "Ü"}, "slug"),
        ({"name": "x", "price": "1", "is_active": 1}, "is_active"),
        ({"name": "x", "price": "1", "is_active": "true"}, "is_active"),
        ({"name": "x", "price": "1", "category_id": 999_999}, "category_id"),
        ({"name": "x", "price": "1", "category_id": 0}, "category_id"),
        ({"name": "x", "price": "1", "category_id": 2**63}, "category_id"),
        ({"name": "x", "price": "1", "description": "x" * 20_001}, "description"),
        ({"name": "x", "price": "1", "description": "\x00"}, "description"),
        ({"name": "x", "price": "1", "compare_at_price": "x"}, "compare_at_price"),
        ({"name": "x", "price": "1", "version": 9}, "version"),
        ({"name": "x", "price": "1", "images": []}, "images"),
        ({"name": "x", "price": "1", "colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named_and_nothing_is_made(app, admin, body, field):
    response = admin.post(URL, json=body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]
    with app.app_context():
        assert factories.count(Product) == 0


@pytest.mark.parametrize(
    "wrong", [{"price": "1.999"}, {"price": None}, {"variants": "x"}, {"variants": []}]
)
def test_a_price_that_is_wrong_is_not_said_to_be_missing(admin, wrong):
    errors = admin.post(URL, json={"name": "x", **wrong}).json["errors"]

    assert list(errors) == list(wrong)
    assert "Missing data for required field." not in next(iter(errors.values()))


@pytest.mark.parametrize(
    "wrong",
    [
        {"category_id": 999_999},
        {"options": [{"name": "Size", "values": ["S"]}], "variants": [{"price": "1"}]},
        {"options": [{"name": "Size", "values": ["S"]}], "variants": [{"options": {"Size": "L"}}]},
        {"options": [{"name": "Size", "values": ["S", "S"]}]},
    ],
)
def test_what_is_wrong_is_told_before_what_is_in_its_way(app, admin, wrong):
    make(admin, slug="red", sku="R-1")
    other = make(admin, slug="blue", sku="B-1")
    stale = {"If-Match": '"7"'}

    made = admin.post(URL, json={"name": "x", "price": "1", "slug": "red", **wrong})
    edited = admin.patch(f"{URL}/blue", json={"slug": "red", "sku": "R-1", **wrong})
    late = admin.patch(f"{URL}/blue", json={"name": "Late", **wrong}, headers=stale)

    assert [r.status_code for r in (made, edited, late)] == [422] * 3
    assert admin.get(f"{URL}/blue").json == other


def test_a_refusal_for_a_version_takes_the_edit_back(app, admin, anyone):
    before = make(admin, stock=5)
    changes = {"name": "X", "slug": "x", "stock": 9, "variants": [{"price": "2"}]}

    refused = admin.patch(f"{URL}/lamp", json=changes, headers={"If-Match": '"7"'})
    empty = admin.patch(f"{URL}/lamp", json={}, headers={"If-Match": '"7"'})

    assert (refused.status_code, refused.json["version"]) == (412, 1)
    assert empty.status_code == 412
    assert anyone.get(f"{URL}/lamp").json == admin.get(f"{URL}/lamp").json == before
    with app.app_context():
        assert factories.count(StockMovement) == 1


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"{", 400), (b"[" * 50_000, 400), (b'{"a":' * 50_000, 400), (b'{"price": NaN}', 400),
        (b'{"name": "\\ud800"}', 400), (b'{"name": 1, "name": 2}', 400), (b"\xff", 400),
        (b"[]", 422), (b'"x"', 422), (b"null", 422), (b"1", 422),
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(admin, data, status):
    make(admin)

    for method, path in (("POST", URL), ("PATCH", f"{URL}/lamp")):
        response = admin.call(method, path, data=data, content_type="application/json")
        assert response.status_code == status, response.json


def test_only_staff_write(anyone, customer, admin):
    make(admin)

    for method, path in (("POST", URL), ("PATCH", f"{URL}/lamp"), ("DELETE", f"{URL}/lamp")):
        assert anyone.call(method, path, data=b"{").status_code == 401
        assert customer.call(method, path, data=b"{").status_code == 403


def test_other_methods_are_refused_with_what_is_allowed(anyone):
    response = anyone.delete(URL)

    assert response.status_code == 405
    assert "POST" in response.headers["Allow"]


class EmptiedAtOnce(dict):
    """What another thread empties whenever something was put in."""

    def __setitem__(self, _key, _value):
        """Gone already."""


def test_a_query_is_read_although_what_is_remembered_of_others_is_just_forgotten(app, anyone):
    remembered = app.extensions.get("query_cache", {})
    app.extensions["query_cache"] = EmptiedAtOnce()
    try:
        assert anyone.get(f"{URL}?per_page=7").json["per_page"] == 7
    finally:
        app.extensions["query_cache"] = remembered


@pytest.mark.parametrize(("former", "shown"), [("4.01", "4.01"), ("4.00", None), ("0.00", None)])
def test_a_former_price_is_shown_only_while_it_is_higher(app, anyone, admin, former, shown):
    make(admin, price="4.00", stock=1, compare_at_price=former)

    (product,) = anyone.get(URL).json["items"]
    page = app.test_client().get(f"/products/{product['slug']}").text

    assert product["compare_at_price"] == shown
    assert anyone.get(f"{URL}/{product['id']}").json["compare_at_price"] == shown
    assert ("instead of" in page, "Reduced" in app.test_client().get("/search").text) == 2 * (
        shown is not None,
    )


def test_an_amount_with_more_places_than_the_currency_has_is_refused(admin):
    text, number = (
        admin.post(URL, json={"name": "Sofa", "price": price}) for price in ("1.500", 1.500)
    )

    assert text.status_code == 422
    assert text.json["errors"] == {"price": ["USD has 2 decimal places."]}
    assert (number.status_code, number.json["price"]) == (201, "1.50")


@pytest.mark.parametrize(
    ("query", "code", "errors"),
    [
        ("sku=R-1", "unknown_parameter", {"sku": ["There is no such parameter."]}),
        ("Q=mug&page=1", "unknown_parameter", {"Q": ["There is no such parameter."]}),
        ("q=mug&q=mug", "validation_error", {"q": ["Only once."]}),
        ("page=1&page=2&per_page=1", "validation_error", {"page": ["Only once."]}),
        ("q=" + "x" * 190 + "&utm_source=mail&sku=R-1", "unknown_parameter", None),
    ],
)
def test_a_parameter_that_is_unknown_or_stands_twice_is_refused(anyone, query, code, errors):
    for _ in range(2):
        response = anyone.get(f"{URL}?{query}")

        assert (response.status_code, response.json["code"]) == (422, code)
        assert errors in (None, response.json["errors"])


@pytest.mark.parametrize(
    "path", ["/api/categories", "/api/orders", "/api/users", "/api/users/me/addresses"]
)
def test_every_list_refuses_unknown_parameters(admin, path):
    refused = admin.get(f"{path}?colour=red")

    assert (refused.status_code, refused.json["code"]) == (422, "unknown_parameter")
    assert admin.get(f"{path}?utm_source=a&utm_x=b&gclid=c&fbclid=d").status_code == 200

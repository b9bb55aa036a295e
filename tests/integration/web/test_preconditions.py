"""If-Match and If-None-Match: wherever an answer has an ETag, a write of the thing honours it."""

import io

import pytest
from PIL import Image

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM
from app.gateways.media import FolderStore
from app.models import AuditEvent, Category, Product, StockMovement
from app.services.catalogue import picture_service
from app.services.catalogue.pictures import render
from tests import factories
from tests.integration.access.api_routes import API_ROUTES
from tests.integration.people import at_once, inside, rows, statuses
from tests.integration.shopping import order, stock

PRODUCT, CATEGORY = "/api/products/lamp", "/api/categories/lamps"


def picture(colour="red"):
    out = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(autouse=True)
def _media(app, tmp_path, monkeypatch):
    monkeypatch.setitem(app.extensions, "media", FolderStore(tmp_path / "media", "/media"))


@pytest.fixture
def product(app):
    """A lamp, three in stock."""
    return inside(app, factories.product, slug="lamp", name="Lamp", stock=3)


@pytest.fixture
def image(app, product):
    """The id of a picture of the lamp."""
    with app.app_context():
        rendered = render(picture("blue"))
        in_transaction(lambda: picture_service.add_picture(SYSTEM, "lamp", rendered, "A lamp"))
        return rendered.id


@pytest.fixture
def category(app):
    """An empty category."""
    return inside(app, factories.category, slug="lamps", name="Lamps")


WRITES = {
    "PATCH product": ("PATCH", PRODUCT, lambda: {"json": {"name": "Light"}}),
    "PATCH stock": ("PATCH", PRODUCT, lambda: {"json": {"stock": 8}}),
    "PATCH variants": ("PATCH", PRODUCT, lambda: {"json": {"variants": [{"price": "2"}]}}),
    "PUT product": ("PUT", PRODUCT, lambda: {"json": {"price": "7.00"}}),
    "DELETE product": ("DELETE", PRODUCT, dict),
    "arrange images": ("PATCH", PRODUCT, lambda: {"json": {"images": []}}),
    "POST image": (
        "POST",
        f"{PRODUCT}/images",
        lambda: {"data": {"file": (io.BytesIO(picture()), "a.png")}},
    ),
    "DELETE image": ("DELETE", f"{PRODUCT}/images/{{image}}", dict),
    "POST stock": ("POST", f"{PRODUCT}/stock", lambda: {"json": {"delta": 2, "reason": "x"}}),
    "PATCH category": ("PATCH", CATEGORY, lambda: {"json": {"name": "Lights"}}),
    "PUT category": ("PUT", CATEGORY, lambda: {"json": {"position": 9}}),
    "DELETE category": ("DELETE", CATEGORY, dict),
}


@pytest.fixture(params=WRITES)
def write(request, admin, product, image, category):
    """Sends one of WRITES with these headers, at its address or at another."""
    method, path, body = WRITES[request.param]

    def send(missing=False, **headers):
        address = path.format(image=image)
        if missing:
            address = address.replace("lamp", "none", 1)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return admin.call(method, address, headers=fields, **body())

    send.name, send.target = request.param, CATEGORY if "category" in request.param else PRODUCT
    return send


def everything(app):
    tables = (Product, Category, StockMovement, AuditEvent)
    return {table: [vars(row) for row in rows(app, table)] for table in tables}


def states(app):
    found = everything(app)
    for entries in found.values():
        for entry in entries:
            entry.pop("_sa_instance_state")
    return found


def test_a_stale_etag_is_refused_and_changes_nothing(app, admin, write):
    stale = admin.get(write.target).headers["ETag"]
    edited = admin.patch(write.target, json={"description": "Edited meanwhile"})
    before = states(app)

    refused = write(If_Match=stale)

    assert edited.headers["ETag"] != stale
    assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed")
    assert states(app) == before
    assert write(If_Match=edited.headers["ETag"]).status_code in (200, 201, 204)


@pytest.mark.parametrize("is_staff", [True, False])
def test_the_etag_of_a_get_is_honoured(admin, anyone, write, is_staff):
    """Staff see more of a product, so theirs has another ETag."""
    etag = (admin if is_staff else anyone).get(write.target).headers["ETag"]

    response = write(If_Match=f'"other", {etag}')

    assert response.status_code in (200, 201, 204)
    assert write(If_Match=etag).status_code in (412, 404)


def test_the_answer_of_a_write_has_the_etag_of_the_next_get(admin, write):
    response = write()

    following = admin.get(write.target)
    if following.status_code == 404:
        assert "ETag" not in response.headers
    else:
        assert response.headers["ETag"] == following.headers["ETag"]


def test_a_star_means_that_it_exists(write):
    assert write(If_Match="*").status_code in (200, 201, 204)
    assert write(missing=True, If_Match="*").status_code == 404
    assert write(missing=True, If_Match='"1"').status_code == 404


def test_what_exists_is_not_written_where_nothing_may_exist(app, write):
    before = states(app)

    response = write(If_None_Match="*")

    if write.name == "POST image":
        assert response.status_code == 201  # creates a picture
    else:
        assert (response.status_code, response.json["code"]) == (412, "precondition_failed")
        assert states(app) == before
    assert write(missing=True, If_None_Match="*").status_code == 404


def test_the_state_that_a_caller_excludes_is_not_written(app, admin, write):
    etag = admin.get(write.target).headers["ETag"]
    before = states(app)

    for tag in (etag, f"W/{etag}", f'"x", {etag}'):
        assert write(If_None_Match=tag).status_code == 412
    assert states(app) == before
    assert write(If_None_Match='"x"').status_code in (200, 201, 204)


@pytest.mark.parametrize(
    "value", ["", '""', '"', '"x', 'W/"{}"', 'W/"1"', '"x", *', '"*"', ",,,", "\xff", '"1-"' * 2000]
)
def test_what_names_no_state_is_refused(admin, product, category, value):
    for target in (PRODUCT, CATEGORY):
        etag = admin.get(target).headers["ETag"].strip('"')
        bound = {"If-Match": value.format(etag)}

        refused = admin.patch(target, json={"name": "X"}, headers=bound)

        assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed")
        assert admin.get(target).headers["ETag"].strip('"') == etag


def test_of_writers_with_one_etag_one_wins(app, admin, write):
    etag = admin.get(write.target).headers["ETag"]

    answers = at_once([lambda: write(If_Match=etag)] * 6)

    assert sum(answer.status_code < 300 for answer in answers) == 1
    assert {answer.status_code for answer in answers} <= {200, 201, 204, 404, 412}


@pytest.mark.parametrize("change", [{"delta": 1}, {"on_hand": 9}])
def test_of_corrections_of_two_variants_with_one_etag_one_wins(app, admin, change):
    row = inside(app, factories.product_with_variants, [
        {"options": {"Size": size}} for size in "SM"
    ], slug="shirt", options=[{"name": "Size", "values": ["S", "M"]}])  # fmt: skip
    etag = admin.get("/api/products/shirt").headers["ETag"]

    def correct(variant):
        body = {"variant_id": variant.id, "reason": "count", **change}
        return admin.post("/api/products/shirt/stock", json=body, headers={"If-Match": etag})

    answers = at_once([lambda v=variant: correct(v) for variant in row.variants])

    assert statuses(answers) == [200, 412]


# --- products ---


def test_a_version_in_quotes_names_a_product(admin, product, image):
    version = admin.get(PRODUCT).json["version"]

    assert admin.patch(PRODUCT, json={"name": "A"}, headers={"If-Match": f'"{version}"'}).json[
        "version"
    ] == version + 1  # fmt: skip
    late = admin.delete(PRODUCT, headers={"If-Match": f'"{version}"'})
    assert (late.status_code, late.json["version"]) == (412, version + 1)


def test_a_sale_leaves_edits_possible_but_not_writes_of_the_stock(app, admin, customer, product):
    etag = admin.get(PRODUCT).headers["ETag"]
    order(customer, product)
    bound = {"If-Match": etag}

    correction = {"on_hand": 5, "reason": "count"}
    assert admin.post(f"{PRODUCT}/stock", json=correction, headers=bound).status_code == 412
    assert admin.patch(PRODUCT, json={"stock": 5}, headers=bound).status_code == 412
    variants = [{"id": product.variants[0].id, "stock": 5}]
    assert admin.patch(PRODUCT, json={"variants": variants}, headers=bound).status_code == 412
    assert stock(app, product) == (3, 1)
    by_version = {"If-Match": '"1"'}
    assert admin.post(f"{PRODUCT}/stock", json=correction, headers=by_version).status_code == 200
    assert admin.patch(PRODUCT, json={"name": "Light"}, headers=bound).status_code == 200


def test_an_order_between_reading_and_correcting_is_noticed_at_once(app, admin, customer, product):
    """Whichever comes first: a correction that went through has seen the stock as it was."""
    etag = admin.get(PRODUCT).headers["ETag"]

    ordered, corrected = at_once(
        [
            lambda: order(customer, product),
            lambda: admin.patch(PRODUCT, json={"stock": 3}, headers={"If-Match": etag}),
        ]
    )

    assert ordered.status_code == 201
    assert stock(app, product) == ((4, 1) if False else (3, 1))
    assert corrected.status_code in (200, 412)


def test_the_etag_after_a_correction_is_the_next_gets_where_the_price_follows(app, admin):
    """What is out of stock does not count for the price that the product is shown from."""
    inside(app, factories.product_with_variants, [
        {"options": {"Size": "S"}, "price": 500, "stock": 0, "sku": "S"},
        {"options": {"Size": "M"}, "price": 900, "stock": 1, "sku": "M"},
    ], slug="shirt", options=[{"name": "Size", "values": ["S", "M"]}])  # fmt: skip
    before = admin.get("/api/products/shirt")
    body = {"variant_id": before.json["variants"][0]["id"], "delta": 1, "reason": "delivery"}

    for headers in ({}, {"If-Match": '"1"'}):
        corrected = admin.post("/api/products/shirt/stock", json=body, headers=headers)
        after = admin.get("/api/products/shirt")

        assert corrected.headers["ETag"] == after.headers["ETag"] != before.headers["ETag"]
        assert (
            admin.post(
                "/api/products/shirt/stock", json={**body, "delta": -1}, headers=headers
            ).headers["ETag"]
            == before.headers["ETag"]
        )


SAME = [
    {"name": "Lamp"},
    {"price": "10.00", "stock": 3},
    {"category_id": None, "compare_at_price": None, "is_active": True, "slug": "lamp"},
    {"description": "", "options": []},
]


@pytest.mark.parametrize("body", SAME)
@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_edit_that_changes_nothing_leaves_the_version(
    app, admin, product, monkeypatch, method, body
):
    invalidated = []
    monkeypatch.setattr("app.services.cache.catalogue_cache.invalidate_product", invalidated.append)
    before, etag = states(app), admin.get(PRODUCT).headers["ETag"]

    response = admin.call(method, PRODUCT, json=body)

    assert (response.status_code, response.json["version"]) == (200, 1)
    assert response.headers["ETag"] == etag
    assert states(app) == before
    assert invalidated == []


def test_pictures_in_the_same_order_leave_the_version_and_in_another_raise_it(admin, product):
    for colour in ("red", "green"):
        file = (io.BytesIO(picture(colour)), "a.png")
        admin.post(f"{PRODUCT}/images", data={"file": file})
    ids = [{"id": image["id"]} for image in admin.get(PRODUCT).json["images"]]

    same = admin.patch(PRODUCT, json={"images": ids}).json["version"]
    turned = admin.patch(PRODUCT, json={"images": ids[::-1]}).json["version"]

    assert (same, turned) == (3, 4)


def test_variants_in_another_order_raise_the_version(app, admin):
    inside(app, factories.product_with_variants, [
        {"options": {"Size": size}} for size in "SM"
    ], slug="shirt", options=[{"name": "Size", "values": ["S", "M"]}])  # fmt: skip
    ids = [{"id": variant["id"]} for variant in admin.get("/api/products/shirt").json["variants"]]

    same = admin.put("/api/products/shirt", json={"variants": ids})
    turned = admin.put("/api/products/shirt", json={"variants": ids[::-1]})

    assert (same.json["version"], turned.json["version"]) == (1, 2)
    assert [variant["id"] for variant in turned.json["variants"]] == [v["id"] for v in ids[::-1]]


# --- categories ---


def test_a_product_in_a_category_does_not_make_its_version_stale(app, admin, category):
    bound = {"If-Match": admin.get(CATEGORY).headers["ETag"]}
    inside(app, factories.product, category_id=category.id)

    shown = admin.get(CATEGORY)
    edited = admin.patch(CATEGORY, json={"name": "Lights"}, headers=bound)

    assert (shown.headers["ETag"], shown.json["product_count"]) != (bound["If-Match"], 0)
    assert edited.status_code == 200


@pytest.mark.parametrize("body", [{}, {"name": "Lamps"}, {"parent_id": None, "position": 0}])
def test_an_edit_of_a_category_that_changes_nothing_writes_nothing(app, admin, category, body):
    before, etag = states(app), admin.get(CATEGORY).headers["ETag"]

    response = admin.patch(CATEGORY, json=body)

    assert (response.status_code, response.headers["ETag"]) == (200, etag)
    assert states(app) == before


@pytest.mark.parametrize(
    ("body", "status"), [({"parent_id": 999}, 422), ({"slug": "taken"}, 409), ({"name": ""}, 422)]
)
def test_other_refusals_come_before_a_stale_etag(app, admin, category, body, status):
    inside(app, factories.category, slug="taken")

    response = admin.patch(CATEGORY, json=body, headers={"If-Match": '"stale"'})

    assert response.status_code == status


# --- reading ---


@pytest.mark.parametrize("path", [PRODUCT, CATEGORY, "/api/products", "/api/categories"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_get_honours_conditions(anyone, product, category, path, method):
    etag = anyone.get(path).headers["ETag"]

    def status(**headers):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        response = anyone.call(method, path, headers=fields)
        if response.status_code == 304:
            assert response.data == b""
            assert response.headers["ETag"] == etag
        return response.status_code

    assert status(If_Match="*") == status(If_Match=etag) == status(If_Match=f'"x", {etag}') == 200
    assert status(If_Match='"stale"') == status(If_Match=f"W/{etag}") == status(If_Match="") == 412
    assert status(If_None_Match=etag) == status(If_None_Match=f"W/{etag}") == 304
    assert status(If_None_Match="*") == status(If_Match="*", If_None_Match=etag) == 304
    assert status(If_None_Match='"x"') == status(If_None_Match="") == 200
    assert status(If_Match='"stale"', If_None_Match=etag) == 412
    assert status(If_Modified_Since="Mon, 30 Nov 2026 10:00:00 GMT", Range="bytes=0-1") == 200


def test_a_version_is_no_copy(anyone, product):
    """Sales change the answer and leave the version."""
    assert anyone.get(PRODUCT, headers={"If-None-Match": '"1"'}).status_code == 200
    assert anyone.get(PRODUCT, headers={"If-Match": '"1"'}).status_code == 200


@pytest.mark.parametrize("path", ["/static/shop.css", "/api/openapi.json", "/", "/sitemap.xml"])
def test_a_star_lets_every_get_through(anyone, path):
    response = anyone.get(path, headers={"If-Match": "*"})
    response.close()

    assert response.status_code == 200
    assert anyone.get("/nothing-here", headers={"If-Match": "*"}).status_code == 404


def test_the_document_names_the_etag_of_answers_that_have_one(anyone):
    paths = anyone.get("/api/openapi.json").json["paths"]

    def has_etag(path, method, status):
        return "ETag" in paths[path][method]["responses"][status]["headers"]

    for kind in ("products/{product}", "categories/{category}"):
        assert all(has_etag(f"/api/{kind}", method, "200") for method in ("get", "patch", "put"))
        assert not has_etag(f"/api/{kind}", "delete", "204")
        assert has_etag(f"/api/{kind.partition('/')[0]}", "post", "201")
    assert has_etag("/api/products/{product}/stock", "post", "200")
    assert has_etag("/api/products/{product}/images", "post", "201")
    assert not has_etag("/api/products/{product}/stock", "get", "200")
    assert not has_etag("/api/orders", "post", "201")


# --- everything else ---

SIGN_IN = ("/api/auth", "/api/users/me/password")
OTHER_WRITES = [
    route
    for route in API_ROUTES
    if route.method != "GET" and route.admitted and not route.rule.startswith(SIGN_IN)
]


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("route", OTHER_WRITES, ids=str)
def test_every_write_refuses_a_tag_that_names_nothing(world, route):
    """Also where nothing has an ETag: there is none that a tag could name."""
    caller = world.caller(next(name for name in ("owner", "admin") if name in route.admitted))
    before = world.rows()

    refused = caller.call(
        route.method, world.path(route), headers={"If-Match": '"0"'}, **route.sends(world)
    )
    # Before the operation's own refusals (RFC 9110, section 13.2.1), which none of these meets.
    assert (refused.status_code, refused.json["code"]) == (412, "precondition_failed")
    assert world.rows() == before

    exists = caller.call(
        route.method, world.path(route), headers={"If-None-Match": "*"}, **route.sends(world)
    )
    is_creation = route.method == "POST" and route.expected["admin"] == 201
    is_creation |= route.rule == "/api/orders" and route.method == "POST"
    assert exists.status_code == (201 if is_creation else 412)


@pytest.mark.parametrize("path", ["/api/products", "/api/categories"])
def test_a_list_has_no_state_that_a_new_entry_could_be_bound_to(app, admin, path):
    etag = admin.get(path).headers["ETag"]
    body = {"name": "New", **({"price": "1"} if path == "/api/products" else {})}

    refused = admin.post(path, json=body, headers={"If-Match": etag})

    assert refused.status_code == 412
    assert admin.post(path, json=body, headers={"If-Match": "*"}).status_code == 201


def test_a_wrong_password_is_counted_in_spite_of_a_precondition(app, customer):
    attempts = [
        customer.delete("/api/users/me", json={"password": "wrong"}, headers={"If-Match": '"x"'})
        for _ in range(8)
    ]

    assert attempts[0].status_code in (401, 403, 422)
    assert attempts[-1].status_code == 429

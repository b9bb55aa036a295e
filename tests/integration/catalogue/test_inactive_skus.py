"""SKUs of variants that are off sale: who has them is told, staff find and free them."""

import pytest

from app.domain.catalogue.search_terms import search_terms
from app.extensions import db
from app.models import Product, StockMovement, Variant
from app.services.catalogue import product_search, sku_holders
from tests import factories
from tests.integration.db.test_query_counts import counted
from tests.integration.people import inside, only_row, rows
from tests.integration.staff import fields_of, signed_in_staff

URL = "/api/products"
SIZES = [{"name": "Size", "values": ["S", "L"]}]


@pytest.fixture
def shirt(app):
    """A shirt in S; L is off sale, and no longer among the sizes."""
    variants = [
        {"options": {"Size": "S"}, "sku": "T-S"},
        {"options": {"Size": "XL"}, "sku": "T-XL", "is_active": False},
    ]
    return inside(
        app, factories.product_with_variants, variants, options=SIZES, name="Shirt", slug="shirt"
    )


def found(caller, q, **args):
    query = {"q": q, **args}
    return [item["slug"] for item in caller.get(URL, query_string=query).json["items"]]


def test_the_refusal_of_a_sku_names_who_has_it(shirt, admin):
    small, large = shirt.variants

    for sku, variant, detail in (
        ("T-S", small, f"It belongs to Shirt (product {shirt.id})."),
        ("T-XL", large, f"It belongs to a variant of Shirt (product {shirt.id}) that is off sale."),
    ):
        refused = admin.post(URL, json={"name": "Tee", "price": 1, "sku": sku})

        assert (refused.status_code, refused.json["code"]) == (409, "sku_taken")
        assert refused.json["detail"] == f"The SKU {sku} is taken. {detail}"
        assert refused.json["conflict"] == {
            "product_id": shirt.id, "variant_id": variant.id, "sku": sku, "name": "Shirt",
            "slug": "shirt", "is_active": sku == "T-S",
        }  # fmt: skip


def test_the_refusal_of_a_slug_names_who_has_it(app, admin):
    mug = inside(app, factories.product, name="Mug", slug="mug", is_active=False)
    box = inside(app, factories.category, name="Box", slug="box")

    product = admin.post(URL, json={"name": "Cup", "price": 1, "slug": "mug"})
    category = admin.post("/api/categories", json={"name": "Case", "slug": "box"})

    assert product.json["detail"] == (
        f"The slug mug is taken. It belongs to Mug (product {mug.id}), which is off sale."
    )
    assert product.json["conflict"] == {
        "product_id": mug.id, "name": "Mug", "slug": "mug", "is_active": False,
    }  # fmt: skip
    assert (
        category.json["detail"] == f"The slug box is taken. It belongs to Box (category {box.id})."
    )
    assert category.json["conflict"] == {"category_id": box.id, "name": "Box", "slug": "box"}


@pytest.mark.parametrize("q", ["T-XL", "t-xl", "T-X"])
def test_staff_find_a_variant_off_sale_by_its_sku(shirt, admin, anyone, q):
    assert found(admin, q) == ["shirt"]
    assert found(admin, q, sort="name", cursor="") == ["shirt"]
    assert found(admin, q, sort="-price") == ["shirt"]
    assert found(anyone, q) == []


def test_products_that_have_the_words_come_after_the_one_with_the_sku(app, shirt, admin):
    for n in range(3):
        inside(app, factories.product, name=f"A t xl {n}", slug=f"other-{n}", sku=f"O{n}")

    answer = admin.get(URL, query_string={"q": "t-xl", "per_page": 2}).json

    assert answer["total"] == 4
    assert [item["slug"] for item in answer["items"]] == ["shirt", "other-0"]
    assert found(admin, "t-xl", per_page=2, page=2) == ["other-1", "other-2"]


@pytest.mark.parametrize("q", ["%", "_", "t_xl", "T-XLL", "'", "T-XL\\"])
def test_a_search_for_another_sku_does_not_find_it(shirt, admin, q):
    assert found(admin, q) == []


def test_staff_find_it_on_their_page(app, shirt):
    page = signed_in_staff(app).get("/admin/products?q=t-xl")

    assert ">Shirt</a>" in page.text


def test_staff_search_in_a_constant_number_of_statements(app, shirt, admin):
    with counted(app) as first:
        found(admin, "T-X")
    for n in range(5):
        variants = [{"sku": f"A{n}"}, {"sku": f"T-X{n}", "is_active": False}]
        inside(app, factories.product_with_variants, variants)

    with counted(app) as later:
        assert len(found(admin, "T-X")) == 6
    assert len(later) == len(first)


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_a_variant_off_sale_gets_another_sku_and_its_own_is_free(app, shirt, admin, method):
    large = shirt.variants[1]
    ledger = len(rows(app, StockMovement))

    send = getattr(admin, method.lower())
    renamed = send(f"{URL}/shirt/variants/{large.id}", json={"sku": "T-XL-OLD"})
    taken = admin.post(URL, json={"name": "Tee", "price": 1, "sku": "T-XL"})

    assert renamed.status_code == 200, renamed.json
    assert [(v["sku"], v["is_active"]) for v in renamed.json["variants"]] == [
        ("T-S", True), ("T-XL-OLD", False),
    ]  # fmt: skip
    assert renamed.json["version"] == 2
    assert taken.status_code == 201
    assert found(admin, "t-xl-old") == ["shirt"]
    assert len(rows(app, StockMovement)) == ledger


def test_one_variant_is_changed_and_the_others_stay(app, shirt, admin):
    small, large = shirt.variants

    changed = admin.patch(f"{URL}/shirt/variants/{small.id}", json={"price": "7.00", "stock": 2})
    put_on_sale = admin.patch(
        f"{URL}/{shirt.id}/variants/{large.id}", json={"is_active": True, "options": {"Size": "L"}}
    )

    assert changed.json["price"] == "7.00"
    assert [(v["sku"], v["stock"], v["is_active"]) for v in put_on_sale.json["variants"]] == [
        ("T-S", 2, True), ("T-XL", 10, True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "fields"),
    [
        ({"sku": "T-S"}, 422, ["sku"]),
        ({"sku": ""}, 422, ["sku"]),
        ({"is_active": True}, 422, ["options"]),
        ({"options": {"Size": "M"}}, 422, ["options"]),
        ({"id": 5}, 422, ["id"]),
        ({"sku": "MUG"}, 409, []),
    ],
)
def test_a_variant_that_cannot_be_changed_so_is_refused(app, shirt, admin, body, status, fields):
    inside(app, factories.product, sku="MUG")

    refused = admin.patch(f"{URL}/shirt/variants/{shirt.variants[1].id}", json=body)

    assert (refused.status_code, list(refused.json.get("errors", {}))) == (status, fields)
    assert rows(app, Product)[0].version == 1


def test_the_only_variant_on_sale_stays_on_sale(shirt, admin):
    refused = admin.patch(f"{URL}/shirt/variants/{shirt.variants[0].id}", json={"is_active": False})

    assert (refused.status_code, list(refused.json["errors"])) == (422, ["variants"])


def test_a_variant_of_another_product_is_not_found(app, shirt, admin):
    other = inside(app, factories.product)

    for id_ in (other.variants[0].id, 999_999):
        assert admin.patch(f"{URL}/shirt/variants/{id_}", json={"sku": "X"}).status_code == 404


def test_a_variant_at_another_version_is_not_changed(app, shirt, admin):
    path = f"{URL}/shirt/variants/{shirt.variants[1].id}"

    stale = admin.patch(path, json={"sku": "X"}, headers={"If-Match": '"7"'})
    fresh = admin.patch(path, json={"sku": "X"}, headers={"If-Match": '"1"'})

    assert (stale.status_code, fresh.status_code) == (412, 200)


def test_staff_rename_a_variant_off_sale_in_its_row(app, shirt):
    clerk, path = signed_in_staff(app), f"/admin/products/{shirt.id}"
    fields = fields_of(clerk.get(path).text, path)

    saved = clerk.send(path, **{**fields, "variants.1.sku": "T-XL-OLD"})

    assert saved.status_code == 303, saved.text
    assert [(v.sku, v.is_active) for v in rows(app, Variant)] == [
        ("T-S", True), ("T-XL-OLD", False),
    ]  # fmt: skip


def test_staff_free_a_sku_by_a_button(app, shirt):
    clerk, path = signed_in_staff(app), f"/admin/products/{shirt.id}"
    clerk.get(path)

    unknown = clerk.send(f"{path}/free-sku", free_sku="T-S")
    freed = clerk.send(f"{path}/free-sku", free_sku="T-XL")

    assert unknown.status_code == 422
    assert "No variant that is off sale has this SKU." in unknown.text
    assert "The SKU T-XL is free." in clerk.follow(freed).text
    skus = [variant.sku for variant in rows(app, Variant)]
    assert skus[0] == "T-S"
    assert skus[1].startswith("T-XL-")


def test_the_page_leads_to_the_product_that_has_the_sku(app, shirt):
    clerk = signed_in_staff(app)
    clerk.get("/admin/products/new")
    fields = {"variants.0.price": "1", "variants.0.on": "1", "variants.0.sku": "T-XL"}

    refused = clerk.send("/admin/products/new", name="Tee", **fields)

    assert refused.status_code == 409
    assert f'<a href="/admin/products/{shirt.id}">' in refused.text
    assert "that is off sale" in refused.text
    assert only_row(app, Product).id == shirt.id


@pytest.mark.only_on("sqlite")
def test_sqlite_finds_skus_of_variants_off_sale_in_an_index(app, shirt):
    with app.app_context(), counted(app) as statements:
        sku_holders.with_inactive_skus(product_search.exact_search(search_terms("t")), "T-X")
        (statement,) = statements
        plan = db.session.connection().exec_driver_sql(
            f"EXPLAIN QUERY PLAN {statement}", ("t-x", "t-x\U0010ffff", 100, 0)
        )

        assert any("ix_variants_search_inactive" in row.detail for row in plan)

"""Categories over HTTP: the tree, its order, its guards."""

import pytest

from tests import factories

URL = "/api/categories"


@pytest.fixture
def tree(app):
    """Home > (Lamps > Spots, Desks), and Food before it."""
    with app.app_context():
        home = factories.category(name="Home", slug="home", position=1)
        lamps = factories.category(name="Lamps", slug="lamps", parent_id=home.id)
        return {
            "home": home,
            "lamps": lamps,
            "spots": factories.category(name="Spots", slug="spots", parent_id=lamps.id),
            "desks": factories.category(name="Desks", slug="desks", parent_id=home.id),
            "food": factories.category(name="Food", slug="food"),
        }


def slugs(response):
    return [item["slug"] for item in response.json["items"]]


def test_the_list_is_flat_and_in_tree_order(anyone, tree):
    assert slugs(anyone.get(URL)) == ["food", "home", "lamps", "spots", "desks"]


def test_the_list_pages(anyone, tree):
    response = anyone.get(f"{URL}?per_page=2&page=2")

    assert slugs(response) == ["lamps", "spots"]
    assert response.json["total"] == 5
    assert 'rel="next"' in response.headers["Link"]


def test_children_of_one_category_can_be_listed(anyone, tree):
    assert slugs(anyone.get(f"{URL}?parent_id={tree['home'].id}")) == ["lamps", "desks"]
    assert slugs(anyone.get(f"{URL}?parent_id=0")) == ["food", "home"]
    assert slugs(anyone.get(f"{URL}?parent_id=999999")) == []


def test_a_category_is_read_by_id_or_slug(anyone, tree):
    by_id, by_slug = anyone.get(f"{URL}/{tree['lamps'].id}"), anyone.get(f"{URL}/lamps")

    assert by_id.json == by_slug.json == {
        "id": tree["lamps"].id, "name": "Lamps", "slug": "lamps", "description": "",
        "parent_id": tree["home"].id, "position": 0, "product_count": 0,
    }  # fmt: skip


def test_the_same_answer_is_not_sent_twice(anyone, tree):
    etag = anyone.get(f"{URL}/lamps").headers["ETag"]

    response = anyone.get(f"{URL}/lamps", headers={"If-None-Match": etag})

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == etag


def test_active_products_count_in_their_category_and_above(app, anyone, tree):
    with app.app_context():
        for name in ("lamps", "spots", "spots"):
            factories.product(category_id=tree[name].id)
        factories.product(category_id=tree["spots"].id, is_active=False)
        factories.product()

    counts = {item["slug"]: item["product_count"] for item in anyone.get(URL).json["items"]}

    assert counts == {"food": 0, "home": 3, "desks": 0, "lamps": 3, "spots": 2}
    assert anyone.get(f"{URL}/home").json["product_count"] == 3
    assert anyone.get("/api/products?category=home").json["total"] == 3


def test_staff_make_a_category(admin, anyone, tree):
    body = {
        "name": "Wall Lamps",
        "parent_id": tree["lamps"].id,
        "position": 3,
        "description": "A\nB",
    }

    response = admin.post(URL, json=body)

    assert response.status_code == 201
    assert response.json["slug"] == "wall-lamps"
    assert anyone.get(response.headers["Location"]).json == {**response.json, **body}
    assert "wall-lamps" in slugs(anyone.get(URL))


def test_a_made_up_slug_gets_a_suffix_where_an_explicit_one_is_refused(admin, tree):
    made = admin.post(URL, json={"name": "Lamps"})
    explicit = admin.post(URL, json={"name": "Lights", "slug": "lamps"})

    assert made.json["slug"].startswith("lamps-")
    assert (explicit.status_code, explicit.json["code"]) == (409, "slug_taken")


@pytest.mark.parametrize(
    ("name", "start"), [("!!!", "category-"), ("2024", "category-2024"), ("日本", "ri-ben")]
)
def test_any_name_makes_a_slug_that_is_no_id(admin, name, start):
    slug = admin.post(URL, json={"name": name}).json["slug"]

    assert slug.startswith(start)
    assert not slug.isdigit()


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
def test_an_edit_changes_the_fields_that_are_sent(admin, tree, method):
    response = admin.call(method, f"{URL}/lamps", json={"name": "Lights", "parent_id": None})

    assert response.status_code == 200
    assert response.json["name"] == "Lights"
    assert response.json["parent_id"] is None
    assert response.json["slug"] == "lamps"


def test_a_category_keeps_its_own_slug_and_takes_no_other(admin, tree):
    assert admin.patch(f"{URL}/lamps", json={"slug": "lamps"}).status_code == 200
    assert admin.patch(f"{URL}/lamps", json={"slug": "lights"}).json["slug"] == "lights"
    assert admin.patch(f"{URL}/lights", json={"slug": "food"}).json["code"] == "slug_taken"


@pytest.mark.parametrize("below", ["home", "lamps", "spots"])
def test_a_category_cannot_be_moved_below_itself(admin, tree, below):
    response = admin.patch(f"{URL}/home", json={"parent_id": tree[below].id})

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["parent_id"]


def test_a_category_moves_with_all_below_it(admin, anyone, tree):
    admin.patch(f"{URL}/lamps", json={"parent_id": tree["food"].id})

    assert slugs(anyone.get(URL)) == ["food", "lamps", "spots", "home", "desks"]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_an_unknown_parent_is_named(admin, tree, method):
    path = URL if method == "POST" else f"{URL}/food"

    response = admin.call(method, path, json={"name": "X", "parent_id": 999_999})

    assert response.status_code == 422
    assert list(response.json["errors"]) == ["parent_id"]


def test_only_an_empty_category_is_removed(app, admin, anyone, tree):
    with app.app_context():
        product = factories.product(category_id=tree["spots"].id)

    with_children, with_products = admin.delete(f"{URL}/lamps"), admin.delete(f"{URL}/spots")
    admin.delete(f"/api/products/{product.id}")
    empty = admin.delete(f"{URL}/spots")

    assert with_children.json["code"] == with_products.json["code"] == "category_not_empty"
    assert empty.status_code == 204
    assert anyone.get(f"{URL}/spots").status_code == 404


def test_renaming_a_category_shows_on_its_products(app, admin, anyone, tree):
    with app.app_context():
        product = factories.product(category_id=tree["lamps"].id)
    anyone.get(f"/api/products/{product.id}")

    admin.patch(f"{URL}/lamps", json={"name": "Lights"})

    assert anyone.get(f"/api/products/{product.id}").json["category"]["name"] == "Lights"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"name": "a\x00b"}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x", "slug": "Not A Slug"}, "slug"),
        ({"name": "x", "slug": "123"}, "slug"),
        ({"name": "x", "slug": None}, "slug"),
        ({"name": "x", "parent_id": 2**63}, "parent_id"),
        ({"name": "x", "parent_id": "1"}, "parent_id"),
        ({"name": "x", "position": 1.5}, "position"),
        ({"name": "x", "position": 2**63}, "position"),
        ({"name": "x", "position": True}, "position"),
        ({"name": "x", "description": "x" * 20_001}, "description"),
        ({"name": "x", "product_count": 3}, "product_count"),
        ({"name": "x", "id": 3}, "id"),
    ],
)
def test_a_wrong_field_is_named(admin, body, field):
    response = admin.post(URL, json=body)

    assert response.status_code == 422
    assert list(response.json["errors"]) == [field]


@pytest.mark.parametrize(
    "path", ["%00", "999999999", str(2**63), "0", "no-such", "A%20B", "-1", "%F0%9F%98%80", "1.5"]
)
def test_what_is_no_category_is_not_found(admin, path):
    for method in ("GET", "PATCH", "DELETE"):
        assert admin.call(method, f"{URL}/{path}", json={}).status_code == 404


@pytest.mark.parametrize("query", ["parent_id=x", "parent_id=-1", f"parent_id={2**63}", "page=0",
                                   "per_page=100000", "page=1.5"])  # fmt: skip
def test_a_wrong_question_is_refused(anyone, query):
    assert anyone.get(f"{URL}?{query}").status_code == 422


def test_pages_have_an_end(anyone):
    assert anyone.get(f"{URL}?page=101&per_page=100").json["code"] == "use_cursor"


def test_only_staff_write(anyone, customer, tree):
    for method, path in (("POST", URL), ("PATCH", f"{URL}/food"), ("DELETE", f"{URL}/food")):
        assert anyone.call(method, path, json={"name": "x"}).status_code == 401
        assert customer.call(method, path, json={"name": "x"}).status_code == 403

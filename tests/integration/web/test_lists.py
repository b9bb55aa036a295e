"""Every list pages by number, up to 10,000 rows, and by cursor to its end."""

import pytest

from app.extensions import db
from app.models import Category
from tests import factories
from tests.integration.shopping import ADDRESS

LISTS = ["/api/products", "/api/categories", "/api/categories?parent_id=0", "/api/orders",
         "/api/users", "/api/users?role=customer", "/api/users/me/addresses",
         "/api/products/{product}/stock"]  # fmt: skip


@pytest.fixture
def filled(app, admin) -> str:
    """The id of a product, in a shop with seven rows in each list."""
    for _ in range(6):
        admin.post("/api/products", json={"name": "Mug", "price": 1, "stock": 9})
        admin.post("/api/users/me/addresses", json=ADDRESS)
    admin.post("/api/users/me/addresses", json=ADDRESS)
    product = admin.post("/api/products", json={"name": "Lamp", "price": 1, "stock": 9}).json
    path = f"/api/products/{product['id']}"
    for delta in range(1, 7):
        admin.post(f"{path}/stock", json={"delta": delta, "reason": "counted"})
        admin.post("/api/cart/items", json={"product_id": product["id"]})
        admin.post("/api/orders", json={"shipping_address": ADDRESS})
    with app.app_context():
        for _ in range(7):
            factories.user()
        tops = [factories.category(position=-n % 3) for n in range(5)]
        below = factories.category(parent_id=tops[0].id)
        factories.category(parent_id=below.id, position=-5)
    return str(product["id"])


def with_query(path: str, **query: object) -> str:
    return f"{path}{'&' if '?' in path else '?'}" + "&".join(f"{k}={v}" for k, v in query.items())


def walk(caller, path: str, per_page: int = 2) -> list[dict]:
    """The rows of a list, read by cursor."""
    rows, cursor = [], ""
    while cursor is not None:
        answer = caller.get(with_query(path, cursor=cursor, per_page=per_page))
        assert answer.status_code == 200, answer.json
        assert set(answer.json) == {"items", "per_page", "next_cursor"}
        assert ('rel="next"' in answer.headers["Link"]) is (answer.json["next_cursor"] is not None)
        rows, cursor = rows + answer.json["items"], answer.json["next_cursor"]
    return rows


@pytest.fixture
def paths(filled) -> list[str]:
    return [path.format(product=filled) for path in LISTS]


def test_a_cursor_reads_the_rows_that_pages_show(admin, paths):
    for path in paths:
        paged = admin.get(with_query(path, per_page=100)).json["items"]

        assert len(paged) > 4
        for size in (1, 2, 100):
            assert walk(admin, path, size) == paged, path


def test_past_the_last_page_a_cursor_has_to_be_used(admin, paths):
    for path in paths:
        last = admin.get(with_query(path, page=100, per_page=100))
        refused = admin.get(with_query(path, page=101, per_page=100))

        assert (last.status_code, last.json["items"]) == (200, [])
        assert (refused.status_code, refused.json["code"]) == (422, "use_cursor")


GARBAGE = ("x", "bnVsbA", "W10", "WyJ0cmVlIixudWxsXQ", "WyJ0cmVlIixbWzEsIngiXV1d")


def test_only_its_own_cursors_are_taken(admin, paths):
    cursors = {
        path: admin.get(with_query(path, cursor="", per_page=1)).json["next_cursor"]
        for path in paths
    }
    for path, own in cursors.items():
        lists = path.partition("?")[0]
        foreign = [c for other, c in cursors.items() if other.partition("?")[0] != lists]
        for cursor in (*GARBAGE, own[:-3], *foreign):
            refused = admin.get(with_query(path, cursor=cursor))
            assert (refused.status_code, list(refused.json["errors"])) == (422, ["cursor"])
        both = admin.get(with_query(path, cursor=own, page=1))
        assert (both.status_code, list(both.json["errors"])) == (422, ["cursor"])


@pytest.mark.parametrize("path", ["/api/categories", "/api/users/me/addresses"])
def test_a_cursor_outlives_the_row_that_it_follows(admin, filled, path):
    paged = admin.get(path).json["items"]
    last = next(row for row in paged[1:] if row.get("parent_id") is None)
    place = paged.index(last) + 1
    cursor = admin.get(with_query(path, cursor="", per_page=place)).json["next_cursor"]
    assert admin.call("DELETE", f"{path}/{last['id']}").status_code == 204

    rest = admin.get(with_query(path, cursor=cursor)).json["items"]

    assert rest == paged[place:]


@pytest.mark.thorough
@pytest.mark.only_on("sqlite")
def test_more_categories_than_pages_reach_are_read_by_cursor(app, anyone):
    with app.app_context():
        top = factories.category()
        many = [{"name": f"C{n}", "slug": f"c{n}x", "parent_id": top.id} for n in range(10_050)]
        db.session.execute(db.insert(Category), many)
        db.session.commit()

    assert len({row["id"] for row in walk(anyone, "/api/categories", 100)}) == 10_051

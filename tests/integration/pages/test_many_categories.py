"""Shops of thousands of categories: each is reachable, and search engines are told of all."""

import re

import pytest
from sqlalchemy import func, select

from app.db.bulk import insert_rows
from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.models import Category, Product
from app.services.catalogue import sitemap
from tests import factories
from tests.integration.browsing import Browser
from tests.integration.shopping import statements_for
from tests.integration.staff import signed_in_staff

pytestmark = pytest.mark.thorough
MANY = 5_000


@pytest.fixture
def shop(app):
    """Ten roots with categories below them; a product lies in the last category."""

    def add():
        now = utc_now()
        columns = ("id", "name", "slug", "description", "parent_id", "position", "offered",
                   "created_at", "updated_at")  # fmt: skip
        rows = [
            (n, f"Part {n}", f"part-{n}", "", None if n <= 10 else n % 10 + 1, 0, 0, now, now)
            for n in range(1, MANY + 1)
        ]
        insert_rows(Category, columns, rows)

    with app.app_context():
        in_transaction(add)
        factories.product(name="Last thing", slug="last-thing", category_id=MANY)
        db.session.remove()
    return app


@pytest.fixture
def browser(app):
    return Browser(app)


@pytest.fixture
def staff(app):
    return signed_in_staff(app)


def locations(text):
    return re.findall("<loc>http://localhost([^<]*)</loc>", text)


def test_the_last_of_many_categories_has_its_page(shop, browser):
    page = browser.get(f"/categories/part-{MANY}")
    product = browser.get("/products/last-thing").text
    search = browser.get(f"/search?category=part-{MANY}").text

    assert page.status_code == 200
    assert "Last thing" in page.text
    assert f"/categories/part-{MANY % 10 + 1}" in page.text  # the way back up
    assert f"/categories/part-{MANY}" in product
    assert f"In Part {MANY}" in search
    assert "Last thing" in search
    assert browser.get(f"/categories/{MANY}").headers["Location"] == f"/categories/part-{MANY}"
    assert browser.get(f"/categories/part-{MANY + 1}").status_code == 404


def test_pages_cost_as_many_statements_as_with_few_categories(shop, browser):
    paths = ("/", f"/categories/part-{MANY}", "/products/last-thing", "/search")

    assert all(statements_for(shop, lambda path=path: browser.get(path)) <= 20 for path in paths)


def test_staff_choose_any_category_for_a_product(shop, staff):
    form = staff.get("/admin/products/new").text

    assert form.count("<option") >= MANY
    assert f'value="{MANY}"' in form


def test_the_sitemap_has_all_categories(shop, browser, monkeypatch):
    monkeypatch.setattr(sitemap, "PART", 700)

    parts = locations(browser.get("/sitemap.xml").text)
    pages = [browser.get(part) for part in parts]
    found = [location for page in pages for location in locations(page.text)]

    assert {f"/categories/part-{n}" for n in range(1, MANY + 1)} <= set(found)
    assert "/products/last-thing" in found
    assert "/" in found
    assert len(found) == len(set(found)) == MANY + 2
    assert max(page.text.count("<loc>") for page in pages) <= 700
    assert all("max-age" in page.headers["Cache-Control"] for page in pages)


def test_parts_without_an_entry_are_left_out(app, browser, monkeypatch):
    monkeypatch.setattr(sitemap, "PART", 2)
    with app.app_context():
        for n in range(9):
            factories.product(slug=f"thing-{n}", is_active=n in (0, 7, 8))
        first = db.session.scalar(select(func.min(Product.id)))

    with app.app_context():
        numbers = sitemap.parts("products")

    assert numbers == sorted({first // 2, (first + 7) // 2, (first + 8) // 2})
    assert browser.get(f"/sitemaps/products-{(first + 4) // 2}.xml").status_code == 404
    for name in (
        "products",
        "products-",
        "products-01",
        "users-0",
        "products-9" * 9,
        "products--1",
    ):
        assert browser.get(f"/sitemaps/{name}.xml").status_code == 404

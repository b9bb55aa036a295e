"""Lists and searches of thousands: names first, pages that fit together, totals as far as they go."""

import pytest
from sqlalchemy import func, select, update

from app.db import bulk
from app.db.unit_of_work import in_transaction
from app.domain.catalogue.search_terms import search_terms
from app.domain.clock import utc_now
from app.extensions import db
from app.models import Category, Product, Variant
from app.services.catalogue import product_facets, product_queries, product_search
from app.services.catalogue.bulk_catalogue import NewProduct, NewVariant, add_products
from app.services.catalogue.product_facets import Facets
from app.services.catalogue.product_filters import ProductQuery
from tests import factories
from tests.integration.db.test_query_counts import counted

pytestmark = pytest.mark.thorough

URL = "/api/products"


def stock_up(app, number: int, name: str, description: str, category_id: int | None = None) -> None:
    """So many products, which the database has looked at; in so many words that it trusts its
    figures."""
    now = utc_now()
    start = name.lower().replace(" ", "-")
    new = [
        NewProduct(f"{name} {n} v{n % 200}", f"{start}-{n}", [NewVariant(f"{start}-{n}", 100 + n % 7)], now,
                   description=description, category_id=category_id)
        for n in range(number)
    ]  # fmt: skip
    with app.app_context():
        in_transaction(lambda: add_products(new, "test"))
        in_transaction(lambda: bulk.refresh_statistics(Product, Variant, Category))
        db.session.remove()
    for cached in (product_search._is_large, product_queries._has_many):
        cached.cache_clear()  # as if a minute had passed


def page_of(caller, page: int, per_page: int = 100, **more):
    return caller.get(URL, query_string={"page": page, "per_page": per_page, **more}).json


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("number", [1_100, 10_000])
def test_of_thousands_of_finds_names_come_first(app, anyone, number):
    stock_up(app, number, "Shade", "Fits every lamp.")
    stock_up(app, 130, "Lamp", "Gives light.")

    first, second = page_of(anyone, 1, q="lamp"), page_of(anyone, 2, q="lamp")
    names = [item["name"].split()[0] for item in first["items"] + second["items"]]
    ids = [item["id"] for item in first["items"] + second["items"]]

    assert names == ["Lamp"] * 130 + ["Shade"] * 70
    assert ids[:130] == sorted(ids[:130])
    assert len(set(ids)) == 200
    assert first["total"] == min(number + 130, 10_001)
    assert first.get("total_is_estimate", False) is (number == 10_000)
    last = page_of(anyone, first["pages"], q="lamp")["items"]
    assert last
    assert {item["name"].split()[0] for item in last} == {"Shade"}


@pytest.mark.only_on("postgresql")
def test_past_the_last_find_there_is_an_empty_page(app, anyone):
    stock_up(app, 130, "Lamp", "Gives light.")

    assert page_of(anyone, 3, q="lamp")["items"] == []
    assert page_of(anyone, 3, q="lamp")["total"] == 130


@pytest.mark.only_on("postgresql")
def test_the_count_of_a_word_that_is_everywhere_is_used_again(app, anyone, monkeypatch):
    monkeypatch.setattr(product_queries, "COUNT_SECONDS", 10**6)
    stock_up(app, 13_000, "Lamp", "Gives light.")

    with counted(app) as first_run:
        page_of(anyone, 1, q="lamp")
    with counted(app) as run:
        best = page_of(anyone, 2, q="lamp")
    newest = page_of(anyone, 2, q="lamp", sort="-created_at")
    by_price = page_of(anyone, 1, q="lamp", sort="-price")

    for found in (best, newest, by_price):
        assert found["total_is_estimate"] is True
        assert found["total"] == 10_001
        assert len(found["items"]) == 100
    assert {item["price"] for item in by_price["items"]} == {"1.06"}
    # All were made at once: whatever the order, equal ones stand by id.
    assert [item["id"] for item in best["items"]] == [item["id"] for item in newest["items"]]
    assert sum("count(" in statement for statement in first_run) == 1
    assert sum("count(" in statement for statement in run) == 0


@pytest.mark.only_on("postgresql")
def test_a_word_whose_products_are_mostly_inactive_has_an_exact_total(app, anyone):
    """The planner takes word and activity to be independent, and expects many times as many."""
    stock_up(app, 30_000, "Lamp", "Gives light.")
    stock_up(app, 26_000, "Chair", "Solid.")
    with app.app_context():
        is_lamp, is_rare = Product.name.startswith("Lamp"), Product.id % 100 == 0
        query = update(Product).where(is_lamp).values(is_active=is_rare)
        in_transaction(lambda: db.session.execute(query))
        active = db.session.scalar(select(func.count()).where(is_lamp, Product.is_active))
        in_transaction(lambda: bulk.refresh_statistics(Product))
        assert product_search.is_common(product_search.exact_search(search_terms("lamp")))

    for sort in ("relevance", "created_at", "-created_at"):
        pages = [page_of(anyone, page, q="lamp", sort=sort) for page in range(1, 5)]
        ids = [item["id"] for page in pages for item in page["items"]]
        assert {page["total"] for page in pages} == {active}
        assert len(set(ids)) == len(ids) == active


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("description", ["Gives light.", "Fits every lamp."])
def test_a_common_word_whose_products_were_all_added_last_is_found(app, anyone, description):
    stock_up(app, product_search.MAX_WALK, "Shade", "Plain.")
    stock_up(app, 13_000, "Lamp" if description == "Gives light." else "Bulb", description)

    by_id, oldest = page_of(anyone, 2, q="lamp"), page_of(anyone, 2, q="lamp", sort="created_at")

    for page in (by_id, oldest):
        assert page["total"] == 10_001
        assert [item["id"] for item in page["items"]] == [item["id"] for item in by_id["items"]]
        assert len(page["items"]) == 100
        assert "Shade" not in {item["name"].split()[0] for item in page["items"]}


@pytest.mark.only_on("postgresql")
def test_a_common_word_of_descriptions_is_not_counted_and_names_come_first(app, anyone):
    stock_up(app, 13_000, "Shade", "Fits every lamp.")
    stock_up(app, 30, "Lamp", "Gives light.")

    with counted(app) as run:
        first = page_of(anyone, 1, q="lamp")
    second = page_of(anyone, 2, q="lamp")
    ids = [item["id"] for item in first["items"] + second["items"]]

    assert [item["name"].split()[0] for item in first["items"]] == ["Lamp"] * 30 + ["Shade"] * 70
    assert ids[30:] == sorted(ids[30:])
    assert len(set(ids)) == 200
    assert first["total"] == second["total"] == 10_001
    assert sum("ts_rank(" in statement for statement in run) == 0


@pytest.mark.only_on("postgresql")
def test_choices_of_a_word_that_is_everywhere_have_no_numbers(app):
    stock_up(app, 13_000, "Lamp", "Gives light.")

    with app.app_context():
        found = product_facets.count(ProductQuery(q="lamp"), "USD", 10_001)

    assert found == Facets([], [(0, 999, None)], {"in_stock": None}, [])


def test_totals_of_lists_are_exact_to_the_last_that_is_counted(app, anyone, admin):
    with app.app_context():
        category_id = factories.category(slug="lamps").id
    stock_up(app, 10_001, "Lamp", "Gives light.", category_id)

    for where in ({}, {"category": "lamps"}):
        many = page_of(anyone, 100, **where)
        assert (many["total"], many["total_is_estimate"]) == (10_001, True)
        assert len(many["items"]) == 100
    assert admin.delete(f"{URL}/lamp-7").status_code == 204
    for where in ({}, {"category": "lamps"}):
        fewer = page_of(anyone, 100, **where)
        assert (fewer["total"], fewer.get("total_is_estimate", False)) == (10_000, False)


def test_choices_of_many_are_shown_without_numbers(app, anyone):
    stock_up(app, 1_200, "Lamp", "Gives light.")

    html = anyone.get("/search?q=lamp").text
    few = anyone.get("/search?q=lamp&min_price=999").text

    assert "In stock" not in few
    assert "In stock" in html
    assert "$1" in html
    assert 'class="count"' not in html


def test_what_the_newest_lack_can_be_chosen_of_many(app):
    """They are all that is looked at: without stock, and at both ends of the prices."""
    stock_up(app, 600, "Lamp", "Gives light.")
    now = utc_now()
    dear = [
        NewProduct(f"Dear {n}", f"dear-{n}", [NewVariant(f"D{n}", 100 if n % 2 else 99_900)], now)
        for n in range(300)
    ]
    with app.app_context():
        in_transaction(lambda: add_products(dear, "test"))
        found = product_facets.count(ProductQuery(), "USD", 900)

    assert found.flags["in_stock"] is None
    starts = [start for start, _last, _number in found.prices]
    assert starts == [0, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000]

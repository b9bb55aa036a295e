"""How PostgreSQL finds what lists, searches and counts ask for: by indexes, never along a table."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import text

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import Order, Product
from app.services.orders import order_lists
from app.services.orders.order_lists import OrderQuery
from app.services.seeding import seed_service
from tests.integration.conftest import Caller, empty, empty_cache, signed_in
from tests.integration.people import inside
from tests.sql import watched

pytestmark = pytest.mark.only_on("postgresql")
TABLES = (
    "products", "variants", "orders", "order_lines", "order_events", "stock_movements",
    "search_words", "search_stems",
)  # fmt: skip
PRODUCTS, ORDERS = 3_000, 2_000

LISTS = [
    "/api/products?" + query
    for query in (
        "", "sort=price", "sort=-price", "sort=name", "sort=-name", "sort=created_at", "page=100",
        "cursor=", "cursor=&sort=-price", "category=kitchen", "category=kitchen&sort=-price",
        "category=home&sort=price&page=3", "min_price=1&max_price=20", "in_stock=true",
        "q=oak", "q=oak+lamp", "q=lam", "q=oak&sort=-price", "q=oak&sort=name", "q=oak&cursor=&sort=name",
        "q=oka", "q=glazd+lamp+350", "q=nothing-like-it", "q=oak&category=kitchen", "is_active=false",
    )
]  # fmt: skip
ORDER_LISTS = [
    "/api/orders?" + query
    for query in (
        "", "page=50", "cursor=", "status=shipped", "q=SW-7K2M", "q=demo@example.com", "q=nobody",
        "q=harbour+street", "q=dana+demo", "q=+44+117+496+0012", "q=oak+lamp", "from=2026-01-01&to=2026-01-02", "user_id=1", "user_id=1&status=pending",
    )
]  # fmt: skip
PAGES = ["/", "/search", "/search?q=oak", "/categories/kitchen"]


@contextmanager
def noted(app) -> Iterator[list[tuple[str, Any]]]:
    """The questions that are asked meanwhile."""
    asked: list[tuple[str, Any]] = []

    def note(statement, given):
        if statement.lstrip().startswith(("SELECT", "WITH")):
            asked.append((statement, given))

    with watched(app, note):
        yield asked


@pytest.fixture(scope="module")
def full_shop(shared_app):
    """Thousands of products and orders, which the database has looked at."""
    now = utc_now()
    empty(shared_app)
    with shared_app.app_context():
        in_transaction(lambda: seed_service.create_demo("USD", "x", "x", 1))
        in_transaction(lambda: seed_service.add_products(PRODUCTS, "USD", 1, now))
        for _ in range(ORDERS // 1_000):
            in_transaction(lambda: seed_service.add_orders(ORDERS, "USD", 1, now))
        in_transaction(seed_service.update_statistics)
    return shared_app


@pytest.fixture
def shop(full_shop):
    """The same shop for all tests here, which only read; it has cached nothing."""
    inside(full_shop, empty_cache)
    return full_shop


@pytest.fixture
def anyone(shop):
    """A caller without an account."""
    return Caller(shop)


@pytest.fixture
def admin(shop):
    """A signed-in member of staff."""
    return signed_in(shop, role="admin")


def walks(app, asked: list[tuple[str, Any]]) -> list[str]:
    """The parts of the plans that read a whole table, although indexes are favoured."""
    found = []
    with app.app_context(), db.engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            found += [
                f"{line.strip()} in {statement}"
                for (line,) in plan
                if "Seq Scan on " in line and line.split("Seq Scan on ")[1].split()[0] in TABLES
            ]
    return found


def plans_of(app, ask: Callable[[str], Any], paths: list[str]) -> list[str]:
    with noted(app) as asked:
        for path in paths:
            assert ask(path).status_code == 200, path
    assert asked
    return walks(app, asked)


def test_no_list_and_no_search_reads_a_whole_table(shop, anyone, admin):
    assert plans_of(shop, anyone.get, LISTS) == []
    assert plans_of(shop, admin.get, LISTS + ORDER_LISTS) == []


def test_no_page_of_the_storefront_reads_a_whole_table(shop, anyone):
    assert plans_of(shop, anyone.get, PAGES) == []


def test_staff_find_orders_by_sku_without_reading_a_whole_table(shop):
    query = OrderQuery(q="KIT-0000100")

    with noted(shop) as asked, shop.app_context():
        order_lists.page_of_orders(SYSTEM, query, 1, 25)

    assert walks(shop, asked) == []


def test_staff_find_orders_by_email_in_an_index_made_for_that(shop, admin):
    with noted(shop) as asked:
        admin.get("/api/orders?q=demo@example.com")

    for statement, parameters in [each for each in asked if "lower(orders.email)" in each[0]]:
        with shop.app_context(), db.engine.connect() as connection:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            assert any("ix_orders_search_email" in line for (line,) in plan)


@pytest.mark.parametrize(
    ("path", "index"),
    [
        ("/api/orders?q=dana+harbour", "ix_orders_lookup_words"),
        ("/api/orders?q=0117+4960012", "ix_orders_lookup_words"),
    ],
)
def test_staff_find_words_in_an_index_made_for_that(shop, admin, path, index):
    with noted(shop) as asked:
        assert admin.get(path).json["items"]

    looked_up = [each for each in asked if "lookup_words" in each[0]]
    assert looked_up
    for statement, parameters in looked_up:
        with shop.app_context(), db.engine.connect() as connection:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            plan = connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
            lines = [line for (line,) in plan]
            assert any(index in line for line in lines), lines


def test_staff_find_skus_of_variants_off_sale_in_an_index_made_for_that(shop, admin):
    with noted(shop) as asked:
        admin.get("/api/products?q=T-XL")

    (asked_for,) = [each for each in asked if "lower(variants.sku)" in each[0]]
    with shop.app_context(), db.engine.connect() as connection:
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        plan = connection.exec_driver_sql(f"EXPLAIN {asked_for[0]}", asked_for[1])
        assert any("ix_variants_search_inactive" in line for (line,) in plan)


def test_one_product_one_order_and_a_ledger_are_found_by_index(shop, anyone, admin):
    with shop.app_context():
        slug = db.session.query(Product.slug).order_by(Product.id.desc()).limit(1).scalar()
        number = db.session.query(Order.number).order_by(Order.id).limit(1).scalar()

    assert plans_of(shop, anyone.get, [f"/api/products/{slug}"]) == []
    assert plans_of(shop, admin.get, [f"/api/orders/{number}", f"/api/products/{slug}/stock"]) == []


def test_a_walk_along_a_table_would_be_noticed(shop):
    asked: list[tuple[str, Any]] = [("SELECT id FROM products WHERE version = 3", {})]

    assert len(walks(shop, asked)) == 1

"""`audit`: clean books pass, and every kind of wrong is named."""

import pytest
from sqlalchemy import text

from app.db import database_roles
from app.db.unit_of_work import open_snapshot
from app.extensions import db
from app.services.audit import books
from tests import factories
from tests.factories import PASSWORD
from tests.integration.shopping import inside, order


@pytest.fixture
def shop(app):
    """A seeded shop whose database no longer guards itself, so that it can be made wrong."""
    with app.app_context():
        assert app.test_cli_runner().invoke(args=["seed-db"]).exit_code == 0
        yield app


@pytest.fixture
def audit(shop):
    return lambda: shop.test_cli_runner().invoke(args=["audit"])


def break_it(statement):
    """Change the database behind the shop's back: foreign keys and CHECKs are off meanwhile."""
    if db.engine.dialect.name == "postgresql":
        break_postgresql(statement)
        return
    connection = db.engine.raw_connection()  # none of the shop's own BEGINs
    try:
        cursor = connection.cursor()
        query = "SELECT name, sql FROM sqlite_master WHERE name GLOB 'stock_movements_no_*'"
        triggers = cursor.execute(query).fetchall()
        off = ["PRAGMA foreign_keys = OFF", "PRAGMA ignore_check_constraints = ON",
               *(f"DROP TRIGGER {name}" for name, _sql in triggers)]  # fmt: skip
        on = ["PRAGMA foreign_keys = ON", "PRAGMA ignore_check_constraints = OFF",
              *(sql for _name, sql in triggers)]  # fmt: skip
        for line in (*off, *statement.split("; "), *on):
            cursor.execute(line)
        connection.commit()
    finally:
        connection.close()


def break_postgresql(statement):
    """The same as the owner of the tables. New rows have to keep to the foreign keys again."""
    add = (
        "SELECT format('ALTER TABLE cart_lines ADD CONSTRAINT %I %s NOT VALID', conname,"
        " replace(pg_get_constraintdef(oid), ' NOT VALID', '')) FROM pg_constraint"
        " WHERE contype = 'f' AND conrelid = 'cart_lines'::regclass"
    )
    drop = (
        "ALTER TABLE cart_lines DROP CONSTRAINT fk_cart_lines_cart_id_carts,"
        " DROP CONSTRAINT fk_cart_lines_variant_id_variants"
    )
    with database_roles.owner_engine().begin() as connection:
        keys = connection.scalars(text(add)).all() if "cart_lines" in statement else ()
        with database_roles.unprotected(connection, "stock_movements"):
            for line in (*((drop,) if keys else ()), *statement.split("; "), *keys):
                connection.exec_driver_sql(line)


def test_clean_books_are_one_line_of_figures(audit):
    result = audit()

    assert result.exit_code == 0
    assert result.stdout.startswith("audit: 70 products, 239 variants, 30 orders, ")
    assert result.stdout.endswith(" movements, 0 violations.\n")
    assert result.stdout.count("\n") == 1


def test_an_empty_shop_is_clean(app):
    result = app.test_cli_runner().invoke(args=["audit"])

    assert result.stdout == (
        "audit: 0 products, 0 variants, 0 orders, 0 movements, 0 violations.\n"
    )


FIRST = "(SELECT MIN(id) FROM {})"
OPEN = "(SELECT MIN(id) FROM orders WHERE status = 'pending')"
PROMOTION = (
    "INSERT INTO promotions (name, kind, value, min_subtotal, min_quantity, buy_quantity, get_quantity,"
    " limit_total, uses, created_at, updated_at) VALUES ('x', 'percentage', 1, 0, 0, 0, 0, 5, 1,"
    " '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
)
WRONGS = {
    "ledger": "UPDATE variants SET on_hand = on_hand + 1 WHERE id = (SELECT MAX(id) FROM variants)",
    "allocations": "UPDATE variants SET allocated = allocated + 1, on_hand = on_hand + 1"
    " WHERE id = (SELECT MAX(id) FROM variants)",
    "order ledger": f"DELETE FROM stock_movements WHERE order_id = {OPEN}",
    "stray movements": "INSERT INTO stock_movements"
    " (variant_id, on_hand_delta, allocated_delta, reason, order_id, at)"
    f" VALUES ((SELECT MAX(id) FROM variants), 1, 0, 'x', {OPEN}, '2026-01-01 00:00:00')",
    "order totals": "UPDATE orders SET subtotal = subtotal + 1, total = total + 1"
    f" WHERE id = {FIRST.format('orders')}",
    "currency": f"UPDATE orders SET currency = 'EUR' WHERE id = {FIRST.format('orders')}",
    "status": f"UPDATE orders SET status = 'processing' WHERE id = {OPEN}",
    "history": f"INSERT INTO order_events (order_id, status, at, done_by)"
    f" VALUES ({OPEN}, 'delivered', '2026-01-01 00:00:00', 'staff')",
    "product price": f"UPDATE products SET price = price + 1 WHERE id = {FIRST.format('products')}",
    "deletions": "UPDATE products SET deleted_at = '2026-01-01 00:00:00'"
    f" WHERE id = {FIRST.format('products')}",
    "category tree": "UPDATE categories SET parent_id ="
    " (SELECT id FROM categories WHERE slug = 'kitchen') WHERE slug = 'home'",
    "category counts": "UPDATE categories SET offered = offered + 1 WHERE slug = 'home'",
    "tombstones": "UPDATE users SET deleted_at = '2026-01-01 00:00:00', email = NULL,"
    " email_key = NULL WHERE email = 'hana.sato@example.com'",
    "erased orders": "UPDATE users SET deleted_at = '2026-01-01 00:00:00', email = NULL,"
    " email_key = NULL, first_name = '', last_name = '' WHERE id ="
    " (SELECT MIN(user_id) FROM orders)",
    "discounts": f"UPDATE orders SET discount_total = 1, total = total - 1 WHERE id = {FIRST.format('orders')}",
    "discount shares": f"UPDATE orders SET discount_total = 1, total = total - 1 WHERE id = {FIRST.format('orders')}",
    "taxes": f"UPDATE orders SET tax_total = 1 WHERE id = {FIRST.format('orders')}",
    "tax shares": f"UPDATE orders SET tax_total = 1 WHERE id = {FIRST.format('orders')}",
    "tax rates": "INSERT INTO order_taxes (order_id, name, rate, taxable, amount)"
    f" VALUES ({FIRST.format('orders')}, 'VAT', 19000, 100000, 1)",
    "redemptions": "INSERT INTO order_discounts (order_id, promotion_id, name, kind, amount)"
    " SELECT MIN(id), 1, 'x', 'percentage', 1 FROM orders WHERE status != 'cancelled'",
    "stray redemptions": f"{PROMOTION}; INSERT INTO redemptions (promotion_id, order_id)"
    f" SELECT id, {FIRST.format('orders')} FROM promotions WHERE name = 'x'",
    "uses of promotions": PROMOTION,
    "uses of codes": f"{PROMOTION}; INSERT INTO promotion_codes"
    " (promotion_id, code, code_key, limit_total, uses, created_at)"
    " SELECT id, 'x', 'x', 9, 1, '2026-01-01 00:00:00' FROM promotions WHERE name = 'x'",
    "pricing in use": f"{PROMOTION}; UPDATE store SET has_promotions = false",
    "idempotency keys": "INSERT INTO idempotency_keys (scope, key, request_hash, created_at)"
    " VALUES ('user:1', 'k', 'h', '2026-01-01 00:00:00')",
    "orphans": "INSERT INTO cart_lines (cart_id, variant_id, quantity, price_seen, created_at)"
    " VALUES (987654, 876543, 1, 1, '2026-01-01 00:00:00')",
}


@pytest.mark.parametrize("rule", WRONGS)
def test_what_is_wrong_is_named(audit, rule):
    break_it(WRONGS[rule])

    result = audit()

    assert result.exit_code == 1
    assert any(line.startswith(f"{rule}: ") for line in result.stdout.splitlines())
    assert " 0 violations." not in result.stdout


@pytest.mark.parametrize(
    ("rule", "statement"),
    [
        ("figures", "UPDATE variants SET allocated = on_hand + 1 WHERE sku = 'CUP-ESP'"),
        ("line totals", "UPDATE order_lines SET line_total = line_total + 1"),
        ("carts", "INSERT INTO cart_lines (cart_id, variant_id, quantity, price_seen, created_at)"
                  " VALUES (1, 1, 0, 1, '2026-01-01 00:00:00')"),
        ("cart owner", "INSERT INTO carts (created_at, updated_at)"
                       " VALUES ('2026-01-01 00:00:00', '2026-01-01 00:00:00')"),
    ],
)  # fmt: skip
def test_what_a_check_constraint_forbids_is_looked_for_too(audit, rule, statement):
    if db.engine.dialect.name != "sqlite":
        return  # PostgreSQL's constraints cannot be passed by
    break_it(statement)

    assert f"{rule}: " in audit().stdout


@pytest.mark.parametrize("left", ["orders SET email = NULL", "orders SET email = 'x@y.example'"])
def test_whatever_is_left_of_a_deleted_customer_in_their_orders_is_named(audit, left):
    break_it(WRONGS["erased orders"])
    break_it(f"UPDATE {left}")

    assert "erased orders: " in audit().stdout


def test_what_staff_note_down_after_a_customer_left_is_their_own(app, customer, admin):
    placed = order(customer, inside(app, factories.product)).json
    assert customer.delete("/api/users/me", json={"password": PASSWORD}).status_code == 204

    later = {"status": "processing", "note": "Packed."}
    assert admin.patch(f"/api/orders/{placed['id']}/status", json=later).status_code == 200

    assert "0 violations" in app.test_cli_runner().invoke(args=["audit"]).stdout


def test_a_note_that_outlived_its_customer_is_named(app, customer):
    order(customer, inside(app, factories.product))
    customer.delete("/api/users/me", json={"password": PASSWORD})

    with app.app_context():
        break_it("UPDATE order_events SET note = 'Ring at Ann Lee''s'")

    assert "erased orders: " in app.test_cli_runner().invoke(args=["audit"]).stdout


def test_ids_and_figures_are_named(audit):
    row = factories.product(price=1000)
    break_it(f"UPDATE products SET price = 7 WHERE id = {row.id}")

    assert f"product price: product {row.id}: listed at 7, but its lowest price is 1000\n" in (
        audit().stdout
    )


def test_it_reads_one_snapshot_while_the_shop_goes_on(shop):
    open_snapshot()
    before = books.figures()

    break_it("UPDATE products SET price = price + 1")

    assert books.figures() == before
    assert list(books.violations()) == []

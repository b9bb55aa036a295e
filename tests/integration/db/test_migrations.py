"""Migrations: up, down and up again, on both databases, with rows, whole or not at all."""

import logging
import os
import textwrap
from collections.abc import Iterator
from pathlib import Path
from shutil import copyfile, copytree

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import Column, Integer, Table, delete, inspect, make_url, text
from sqlalchemy.exc import DBAPIError

from app import create_app
from app.config import ROOT, Testing
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Base, Category, Product, StockMovement, Store, Variant
from tests import factories, roles, servers
from tests.integration.conftest import migrated
from tests.processes import side_by_side

pytestmark = pytest.mark.processes

UPGRADE = """
from manage import app
with app.app_context():
    app.cli.main(["db", "upgrade"])
"""


@pytest.fixture
def empty(request: pytest.FixtureRequest, database: str, tmp_path: Path):
    """A shop on a database of its own without any table."""
    if database.startswith("sqlite"):
        yield create_app(Testing({"DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}))
        return
    with servers.database(os.environ["TEST_DATABASE_URL"], f"migrations_{os.getpid()}") as url:
        made = create_app(Testing(roles.settings(url)))
        yield made
        close(made)


def close(app: Flask) -> None:
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture(scope="module")
def template(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an empty shop's database with the newest schema, to be copied."""
    if database.startswith("sqlite"):
        yield migrated(f"sqlite:///{tmp_path_factory.mktemp('template')}/shop.db")
        return
    name = f"migrations_template_{os.getpid()}"
    with servers.database(os.environ["TEST_DATABASE_URL"], name) as url:
        yield migrated(url)


@pytest.fixture
def current(template: str, tmp_path: Path) -> Iterator[Flask]:
    """A shop on a database of its own with the newest schema."""
    source = make_url(template).database
    assert source is not None
    if template.startswith("sqlite"):
        copyfile(source, tmp_path / "shop.db")
        yield create_app(Testing({"DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}))
        return
    maintenance = os.environ["TEST_DATABASE_URL"]
    with servers.database(maintenance, f"migrations_{os.getpid()}", source) as url:
        made = create_app(Testing(roles.settings(url)))
        yield made
        close(made)


def tables(app: Flask) -> set[str]:
    with app.app_context():
        found = set(inspect(db.engine).get_table_names())
        db.engine.dispose()
        return found


def migrate(app: Flask, step: str, **options: object) -> None:
    with app.app_context():
        getattr(flask_migrate, step)(**options)
        db.session.remove()
        db.engine.dispose()


def test_up_down_and_up_again(empty):
    migrate(empty, "upgrade")
    assert {"users", "products", "orders"} <= tables(empty)

    migrate(empty, "downgrade", revision="base")
    assert tables(empty) <= {"alembic_version"}

    migrate(empty, "upgrade")
    assert empty.test_client().get("/healthz/ready").status_code == 200


def test_the_ledger_keeps_its_rows_as_it_becomes_append_only_and_back(current):
    def forget():
        with current.app_context():
            try:
                in_transaction(lambda: db.session.execute(delete(StockMovement)))
            finally:
                db.session.remove()

    with current.app_context():
        factories.product(stock=3)

    migrate(current, "downgrade", revision="0019")
    with current.app_context():
        assert factories.count(StockMovement) == 1
        db.session.remove()
    migrate(current, "upgrade")

    with current.app_context():
        assert factories.count(StockMovement) == 1
    with pytest.raises(DBAPIError, match=r"never changed|permission denied"):
        forget()


def test_an_upgrade_that_has_run_changes_nothing(current):
    with current.app_context():
        factories.product(stock=3)

    migrate(current, "upgrade")

    with current.app_context():
        assert factories.count(Product) == 1


@pytest.mark.only_on("postgresql")
def test_the_triggers_of_events_write_with_the_rights_of_their_owner(app):
    """The runtime role gets rights on a new table after the last migration, and the shop sells meanwhile."""
    query = text(
        "SELECT proname, proconfig FROM pg_proc WHERE prosecdef AND proname LIKE '%_event'"
    )
    with app.app_context():
        functions = dict(db.session.execute(query).all())
        db.session.rollback()

    assert len(functions) == 5
    assert {tuple(settings) for settings in functions.values()} == {
        ("search_path=public, pg_temp",)
    }


@pytest.mark.only_on("sqlite")
def test_ids_that_are_stored_elsewhere_are_used_once(app):
    """SQLite gives the highest id again after its row is deleted, unless the table says otherwise."""
    query = text(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%AUTOINCREMENT%'"
    )
    with app.app_context():
        names = set(db.session.scalars(query))
        db.session.rollback()

    assert names == {
        table.name
        for table in Base.metadata.sorted_tables
        if table.dialect_options["sqlite"]["autoincrement"]
    }
    assert names == {"account_tokens", "jobs", "mails", "webhook_deliveries", "webhook_endpoints"}


def test_models_and_migrations_do_not_differ(app, environ):
    migrate(create_app(Testing(environ)), "check")  # exits with 1, and names every difference


def test_a_difference_would_be_found(app, environ):
    table = Table("forgotten", Base.metadata, Column("id", Integer, primary_key=True))
    try:
        with pytest.raises(SystemExit):
            migrate(create_app(Testing(environ)), "check")
    finally:
        Base.metadata.remove(table)


def test_sessions_outlive_the_column_of_their_place(current):
    with current.app_context():
        _user, token = factories.user_with_token()
        db.session.execute(text("UPDATE sessions SET place = 'somewhere'"))
        db.session.commit()

    migrate(current, "downgrade", revision="0002")
    migrate(current, "upgrade")

    with current.app_context():
        assert db.session.execute(text("SELECT id, place FROM sessions")).one().place is None
    answer = current.test_client().get(
        "/api/users/me", headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 200


def test_what_a_shop_prices_with_is_noted_from_migration_0086_on(current):
    """Of the rows that are there, and whoever adds the first one."""
    flags = "SELECT has_tax_rates, has_shipping_methods, has_promotions FROM store"

    def execute(statement: str):
        with current.app_context():
            rows = db.session.execute(text(statement))
            found = [tuple(map(bool, row)) for row in rows] if rows.returns_rows else []
            db.session.commit()
        return found

    migrate(current, "downgrade", revision="0085")
    execute("INSERT INTO promotions (name, kind, value, created_at, updated_at)"
            " VALUES ('x', 'percentage', 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')")  # fmt: skip
    migrate(current, "upgrade")
    assert execute(flags) == [(False, False, True)]

    execute("INSERT INTO tax_rates (name, country, rate, created_at, updated_at)"
            " VALUES ('VAT', 'DE', 19000, '2026-01-01 00:00:00', '2026-01-01 00:00:00')")  # fmt: skip
    assert execute(flags) == [(True, False, True)]


def test_a_total_has_its_tax_in_it_from_migration_0090_on(current):
    """A total of 119 with tax of 19 in it, and one of 138 with it on top."""

    def insert(total: int, columns: str = "", values: str = "") -> None:
        statement = (
            "INSERT INTO orders (number, status, currency, subtotal, discount_total,"
            f" shipping_total, tax_total, total, note, placed_at, updated_at{columns})"
            f" VALUES ('{total}', 'pending', 'USD', 119, 0, 0, 19, {total}, '',"
            f" '2026-01-01 00:00:00', '2026-01-01 00:00:00'{values})"
        )
        with current.app_context():
            db.session.execute(text(statement))
            db.session.commit()

    insert(119)
    insert(138, ", tax_included", ", false")
    for refused in (("",), (", tax_included", ", false")):
        with pytest.raises(DBAPIError, match="total_adds_up"):
            insert(119 if len(refused) == 2 else 138, *refused)

    migrate(current, "downgrade", revision="0076")
    with current.app_context():
        rows = db.session.execute(text("SELECT total, tax_total FROM orders ORDER BY total"))
        assert [tuple(row) for row in rows] == [(119, 0), (138, 19)]
    with pytest.raises(DBAPIError, match="total_adds_up"):
        insert(120)
    migrate(current, "upgrade")


def test_a_recorded_currency_outlives_the_settings_and_the_release_before_records_one(current):
    def currency():
        with current.app_context():
            return db.session.execute(text("SELECT currency FROM store WHERE id = 1")).scalar_one()

    migrate(current, "downgrade", revision="0070")
    assert currency() == "USD"
    migrate(current, "upgrade")
    assert currency() == "USD"

    with current.app_context():
        db.session.execute(text("DELETE FROM store"))
        db.session.execute(text("INSERT INTO store (id, currency) VALUES (1, 'EUR')"))
        db.session.commit()
        assert db.session.get_one(Store, 1).hold_minutes == 30


def test_accounts_with_turkish_letters_are_found_after_the_upgrade(empty):
    migrate(empty, "upgrade", revision="0004")
    old = [
        "adm\u0131n@example.com",
        "i\u0307an@f\u0131r\u0131n.example",
        "s\u0131m@example.com",
        "sim@example.com",
    ]
    with empty.app_context():
        for number, key in enumerate(old):
            db.session.execute(
                text(
                    "INSERT INTO users (email, email_key, password_hash, created_at, updated_at)"
                    " VALUES (:email, :key, '', :now, :now)"
                ),
                {"email": f"{number}@example.com", "key": key, "now": "2026-11-22 12:00:00+00:00"},
            )
        db.session.commit()
        db.session.remove()

    migrate(empty, "upgrade")

    with empty.app_context():
        keys = db.session.scalars(text("SELECT email_key FROM users ORDER BY id")).all()
    assert keys == [
        "admin@example.com", "ian@f\u0131r\u0131n.example", "s\u0131m@example.com", "sim@example.com"
    ]  # fmt: skip


@pytest.fixture
def next_migration(tmp_path: Path):
    """Writes a folder of migrations with one more in it: these statements of `op`."""

    def write(body: str, down: str = "pass") -> str:
        folder = copytree(ROOT / "migrations", tmp_path / "migrations")
        content = f"""
            import sqlalchemy as sa
            from alembic import op
            from sqlalchemy import text
            revision, down_revision = "next", {newest()!r}
            def upgrade():
            {textwrap.indent(textwrap.dedent(body), " " * 16)}
            def downgrade():
            {textwrap.indent(textwrap.dedent(down), " " * 16)}
        """
        (folder / "versions" / "next.py").write_text(textwrap.dedent(content))
        return str(folder)

    return write


def newest() -> str:
    """The newest migration of the shop."""
    names = sorted(path.stem for path in (ROOT / "migrations" / "versions").glob("*.py"))
    return names[-1].split("_")[2]


def test_remaking_a_table_keeps_its_children(current, next_migration):
    with current.app_context():
        factories.product_with_variants([{"stock": 2}, {"stock": 3, "options": {"Size": "M"}}])
        db.session.remove()
    folder = next_migration(
        """
        with op.batch_alter_table("products", recreate="auto") as batch:
            batch.alter_column("name", type_=sa.String(300))
        """
    )

    migrate(current, "upgrade", directory=folder)

    with current.app_context():
        assert factories.count(Product) == 1
        assert factories.count(Variant) == 2


def test_a_migration_that_fails_leaves_nothing_behind(current, next_migration):
    before = tables(current)
    folder = next_migration(
        """
        op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("INSERT INTO nowhere VALUES (1)")
        """
    )

    with pytest.raises(Exception, match="nowhere"):
        migrate(current, "upgrade", directory=folder)

    assert tables(current) == before
    with current.app_context():
        assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == newest()


@pytest.mark.only_on("sqlite")
def test_a_migration_that_orphans_rows_is_undone(current, next_migration, caplog):
    with current.app_context():
        category = factories.category()
        factories.product(category_id=category.id)
    folder = next_migration('op.execute("DELETE FROM categories")')

    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit):
        migrate(current, "upgrade", directory=folder)

    assert "would break foreign keys" in caplog.text
    with current.app_context():
        assert factories.count(Category) == 1
        assert db.session.scalar(text("PRAGMA foreign_keys")) == 1


def test_the_migrations_can_be_printed_as_sql(empty, capsys):
    migrate(empty, "upgrade", sql=True)

    assert "CREATE TABLE products" in capsys.readouterr().out


INDEX = """
    from migrations import online
    online.{}
"""
MAKE = INDEX.format('create_index("ix_products_slug", "products", ["slug"])')
DROP = INDEX.format('drop_index("ix_products_slug", "products")')


def test_an_index_is_made_and_dropped_online(current, next_migration):
    folder = next_migration(MAKE, down=DROP)

    migrate(current, "upgrade", directory=folder)
    made = indexes(current, "products")
    migrate(current, "downgrade", directory=folder, revision=newest())

    assert made - indexes(current, "products") == {"ix_products_slug"}


@pytest.mark.only_on("postgresql")
def test_an_index_that_was_left_half_made_is_made_anew(current, next_migration):
    folder = next_migration(MAKE)
    with current.app_context():
        factories.product()
        url = db.engine.url.render_as_string(hide_password=False)
    servers.run_sql(roles.as_owner(url), "CREATE INDEX ix_products_slug ON products (name)")

    migrate(current, "upgrade", directory=folder)

    with current.app_context():
        query = text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_products_slug'")
        assert db.session.scalar(query).endswith("(slug)")


@pytest.mark.only_on("postgresql")
def test_what_came_before_a_migration_that_fails_stays(empty, next_migration):
    migrate(empty, "upgrade", revision="0001")
    folder = next_migration('op.execute("INSERT INTO nowhere VALUES (1)")')

    with pytest.raises(Exception, match="nowhere"):
        migrate(empty, "upgrade", directory=folder)

    with empty.app_context():
        assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == newest()


@pytest.mark.races
@pytest.mark.only_on("postgresql")
def test_several_who_migrate_at_once_take_turns(empty, environ):
    with empty.app_context():
        url = db.engine.url.render_as_string(hide_password=False)

    ended = side_by_side(3, UPGRADE, environ={**environ, **roles.settings(url)})

    assert ended.returncode == 0, ended.stderr
    assert empty.test_client().get("/healthz/ready").json["database"] == "ok"


def indexes(app: Flask, table: str) -> set[str | None]:
    with app.app_context():
        found = {index["name"] for index in inspect(db.engine).get_indexes(table)}
        db.engine.dispose()
        return found

"""Migrations: up, down and up again, on both databases, with rows, whole or not at all."""

import logging
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from shutil import copytree

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import Column, Integer, Table, delete, inspect, text
from sqlalchemy.exc import DBAPIError

from app import create_app
from app.config import ROOT, Testing
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Base, Category, Product, StockMovement, Variant
from tests import factories, roles, servers

pytestmark = pytest.mark.processes


@pytest.fixture
def empty(request: pytest.FixtureRequest, database: str, tmp_path: Path):
    """A shop on a database of its own without any table."""
    if database.startswith("sqlite"):
        yield create_app(Testing({"DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}))
        return
    with servers.database(os.environ["TEST_DATABASE_URL"], f"migrations_{os.getpid()}") as url:
        made = create_app(Testing(roles.settings(url)))
        yield made
        with made.app_context():
            db.engine.dispose()


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


def test_the_ledger_keeps_its_rows_as_it_becomes_append_only_and_back(empty):
    def forget():
        with empty.app_context():
            try:
                in_transaction(lambda: db.session.execute(delete(StockMovement)))
            finally:
                db.session.remove()

    migrate(empty, "upgrade")
    with empty.app_context():
        factories.product(stock=3)

    migrate(empty, "downgrade", revision="0019")
    with empty.app_context():
        assert factories.count(StockMovement) == 1
        db.session.remove()
    migrate(empty, "upgrade")

    with empty.app_context():
        assert factories.count(StockMovement) == 1
    with pytest.raises(DBAPIError, match=r"never changed|permission denied"):
        forget()


def test_an_upgrade_that_has_run_changes_nothing(empty):
    migrate(empty, "upgrade")
    with empty.app_context():
        factories.product(stock=3)

    migrate(empty, "upgrade")

    with empty.app_context():
        assert factories.count(Product) == 1


def test_models_and_migrations_do_not_differ(app, environ):
    migrate(create_app(Testing(environ)), "check")  # exits with 1, and names every difference


def test_a_difference_would_be_found(app, environ):
    table = Table("forgotten", Base.metadata, Column("id", Integer, primary_key=True))
    try:
        with pytest.raises(SystemExit):
            migrate(create_app(Testing(environ)), "check")
    finally:
        Base.metadata.remove(table)


def test_sessions_outlive_the_column_of_their_place(empty):
    migrate(empty, "upgrade")
    with empty.app_context():
        _user, token = factories.user_with_token()
        db.session.execute(text("UPDATE sessions SET place = 'somewhere'"))
        db.session.commit()

    migrate(empty, "downgrade", revision="0002")
    migrate(empty, "upgrade")

    with empty.app_context():
        assert db.session.execute(text("SELECT id, place FROM sessions")).one().place is None
    answer = empty.test_client().get("/api/users/me", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


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


def test_remaking_a_table_keeps_its_children(empty, next_migration):
    migrate(empty, "upgrade")
    with empty.app_context():
        factories.product_with_variants([{"stock": 2}, {"stock": 3, "options": {"Size": "M"}}])
        db.session.remove()
    folder = next_migration(
        """
        with op.batch_alter_table("products", recreate="auto") as batch:
            batch.alter_column("name", type_=sa.String(300))
        """
    )

    migrate(empty, "upgrade", directory=folder)

    with empty.app_context():
        assert factories.count(Product) == 1
        assert factories.count(Variant) == 2


def test_a_migration_that_fails_leaves_nothing_behind(empty, next_migration):
    migrate(empty, "upgrade")
    before = tables(empty)
    folder = next_migration(
        """
        op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
        op.execute("INSERT INTO nowhere VALUES (1)")
        """
    )

    with pytest.raises(Exception, match="nowhere"):
        migrate(empty, "upgrade", directory=folder)

    assert tables(empty) == before
    with empty.app_context():
        assert db.session.scalar(text("SELECT version_num FROM alembic_version")) == newest()


@pytest.mark.only_on("sqlite")
def test_a_migration_that_orphans_rows_is_undone(empty, next_migration, caplog):
    migrate(empty, "upgrade")
    with empty.app_context():
        category = factories.category()
        factories.product(category_id=category.id)
    folder = next_migration('op.execute("DELETE FROM categories")')

    with caplog.at_level(logging.ERROR), pytest.raises(SystemExit):
        migrate(empty, "upgrade", directory=folder)

    assert "would break foreign keys" in caplog.text
    with empty.app_context():
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


def test_an_index_is_made_and_dropped_online(empty, next_migration):
    migrate(empty, "upgrade")
    folder = next_migration(MAKE, down=DROP)

    migrate(empty, "upgrade", directory=folder)
    made = indexes(empty, "products")
    migrate(empty, "downgrade", directory=folder, revision=newest())

    assert made - indexes(empty, "products") == {"ix_products_slug"}


@pytest.mark.only_on("postgresql")
def test_an_index_that_was_left_half_made_is_made_anew(empty, next_migration):
    migrate(empty, "upgrade")
    folder = next_migration(MAKE)
    with empty.app_context():
        factories.product()
        url = db.engine.url.render_as_string(hide_password=False)
    servers.run_sql(roles.as_owner(url), "CREATE INDEX ix_products_slug ON products (name)")

    migrate(empty, "upgrade", directory=folder)

    with empty.app_context():
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
    command = [sys.executable, "-m", "flask", "--app", "manage.py", "db", "upgrade"]
    settings = {**os.environ, **environ, **roles.settings(url)}

    running = [subprocess.Popen(command, env=settings, cwd=ROOT) for _ in range(3)]

    assert [process.wait(120) for process in running] == [0, 0, 0]


def indexes(app: Flask, table: str) -> set[str | None]:
    with app.app_context():
        found = {index["name"] for index in inspect(db.engine).get_indexes(table)}
        db.engine.dispose()
        return found

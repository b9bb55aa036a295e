"""Marked statements are prepared once for each connection, and their results stay right."""

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.exc import DBAPIError

from app import create_app
from app.config import Testing
from app.db import prepared as prepared_module
from app.db.prepared import prepared, run
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Category
from app.services.accounts import session_service
from tests import factories, servers

pytestmark = pytest.mark.only_on("postgresql")
MANY_SESSIONS = """
WITH new AS (
  INSERT INTO users (email, email_key, first_name, last_name, password_hash, role, is_active,
    created_at, updated_at)
  SELECT n || '@example.com', n || '@example.com', '', '', '', 'customer', true, now(), now()
  FROM generate_series(1, 5000) AS n RETURNING id
)
INSERT INTO sessions (user_id, generation, created_at, expires_at)
SELECT id, 0, now(), now() + interval '1 day' FROM new
"""
NAMED = prepared(select(Category.slug).where(Category.name == bindparam("name")))


@pytest.fixture
def context(app, environ):
    """The context of a shop that has one connection, which is new."""
    with create_app(
        Testing({**environ, "DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0"})
    ).app_context():
        factories.category(name="Lamps", slug="lamps")
        db.engine.dispose()
        yield
        db.session.remove()
        db.engine.dispose()


def prepared_for_categories() -> list[str]:
    """The statements about categories that are prepared on the connection."""
    statements = db.session.scalars(text("SELECT statement FROM pg_prepared_statements")).all()
    return [statement for statement in statements if "categories" in statement]


def test_a_statement_that_comes_again_is_planned_once_and_takes_each_time_its_values(context):
    answers = [run(NAMED, name=name).scalars().all() for name in ("Lamps", "100 % 'new'", "Lamps")]

    assert answers == [["lamps"], [], ["lamps"]]
    assert len(prepared_for_categories()) == 1


def test_what_was_planned_stays_so_although_the_work_is_rolled_back(context):
    def refused():
        run(NAMED, name="Lamps")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_transaction(refused)

    assert run(NAMED, name="Lamps").scalar() == "lamps"
    assert len(prepared_for_categories()) == 1


def test_a_table_may_change_meanwhile(context, environ):
    owner = environ["DATABASE_OWNER_URL"]
    before = run(NAMED, name="Lamps").scalar()
    db.session.rollback()
    servers.run_sql(owner, "ALTER TABLE categories ADD COLUMN further text")

    after = run(NAMED, name="Lamps").scalar()

    db.session.rollback()
    servers.run_sql(owner, "ALTER TABLE categories DROP COLUMN further")
    assert before == after == "lamps"


def test_where_a_migration_changed_what_is_answered_only_the_next_one_fails(context, environ):
    def widen(length):
        change = f"ALTER TABLE categories ALTER COLUMN slug TYPE varchar({length})"
        servers.run_sql(environ["DATABASE_OWNER_URL"], change)

    length = Category.slug.type.length
    run(NAMED, name="Lamps")
    db.session.remove()
    widen(length + 1)
    try:
        with pytest.raises(DBAPIError) as failure:
            run(NAMED, name="Lamps")
        db.session.remove()

        assert failure.value.connection_invalidated
        assert run(NAMED, name="Lamps").scalar() == "lamps"
    finally:
        db.session.remove()
        widen(length)


def test_work_that_meets_a_migration_is_done_once_more(context, environ):
    length = Category.slug.type.length
    run(NAMED, name="Lamps")
    db.session.remove()
    change = "ALTER TABLE categories ALTER COLUMN slug TYPE varchar({})"
    servers.run_sql(environ["DATABASE_OWNER_URL"], change.format(length + 1))
    try:
        assert in_transaction(lambda: run(NAMED, name="Lamps").scalar()) == "lamps"
    finally:
        db.session.remove()
        servers.run_sql(environ["DATABASE_OWNER_URL"], change.format(length))


def test_a_single_read_that_meets_a_migration_is_planned_anew(context, environ):
    length = Category.slug.type.length
    change = "ALTER TABLE categories ALTER COLUMN slug TYPE varchar({})"
    with db.engine.connect().execution_options(shop_reads=True) as connection:
        asked = [connection.execute(NAMED, {"name": "Lamps"}).scalar()]
        servers.run_sql(environ["DATABASE_OWNER_URL"], change.format(length + 1))
        try:
            asked += [connection.execute(NAMED, {"name": "Lamps"}).scalar() for _ in range(2)]
        finally:
            servers.run_sql(environ["DATABASE_OWNER_URL"], change.format(length))

    assert asked == ["lamps"] * 3


def test_plans_follow_tables_that_grow(context, monkeypatch):
    db.session.execute(text("ANALYZE users, sessions"))
    for _ in range(12):  # after a few uses PostgreSQL plans for all values alike
        session_service.find_caller(1)
    db.session.execute(text(MANY_SESSIONS))

    monkeypatch.setattr(prepared_module, "PLAN_SECONDS", 0.0)
    session_service.find_caller(1)

    prepared = "SELECT name FROM pg_prepared_statements WHERE statement LIKE '%sessions%'"
    name = db.session.scalar(text(prepared))
    plan = db.session.scalars(text(f"EXPLAIN EXECUTE {name} (1, now())")).all()
    assert not [line for line in plan if "Seq Scan" in line]


def test_unmarked_statements_and_those_with_lists_of_values_are_not_prepared(context):
    listed = prepared(
        select(Category.slug).where(Category.name.in_(bindparam("names", expanding=True)))
    )

    assert run(select(Category.slug)).scalar() == "lamps"
    assert run(listed, names=["Oak", "Lamps"]).scalar() == "lamps"
    assert prepared_for_categories() == []


def test_a_connection_prepares_no_more_than_the_maximum(context, monkeypatch):
    monkeypatch.setattr(prepared_module, "MAX_PREPARED", 2)
    columns = (Category.name, Category.description, Category.position, Category.parent_id)

    found = [run(NAMED.add_columns(column), name="Lamps").scalar() for column in columns]

    assert len(prepared_for_categories()) == 2
    assert found == ["lamps"] * 4


def test_nothing_is_prepared_behind_a_pooler(app, environ):
    with create_app(Testing({**environ, "DATABASE_POOLER": "true"})).app_context():
        run(NAMED, name="Lamps")

        assert prepared_for_categories() == []
        db.session.remove()

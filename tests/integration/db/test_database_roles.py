"""PostgreSQL's roles: every connection needs a password, and no role of the shop is a superuser."""

import json

import pytest
from flask_migrate import upgrade
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app import create_app
from app.config import Testing
from app.db import database_roles
from app.extensions import db
from app.models import Product
from tests import factories, roles, servers
from tests.integration.people import inside

pytestmark = pytest.mark.only_on("postgresql")


@pytest.mark.parametrize("password", [None, "wrong"])
def test_a_connection_without_the_right_password_is_refused(environ, password):
    url = make_url(environ["DATABASE_URL"])._replace(password=password)

    with pytest.raises(OperationalError, match="password"):
        create_engine(url).connect()


def test_the_shop_runs_under_a_role_that_is_no_superuser(app):
    query = text(
        "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls"
        " FROM pg_roles WHERE rolname = current_user"
    )

    assert inside(app, lambda: db.session.scalar(query)) is False


def test_the_shops_role_owns_nothing_and_cannot_become_the_owner(app):
    def examine():
        with db.engine.connect() as connection:
            return database_roles.powers(connection)

    assert inside(app, examine) == (False, False, False)


def privileges(app, table):
    """What the shop's role may do to a table."""
    names = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]
    query = text(
        "SELECT name FROM unnest(CAST(:names AS text[])) name"
        " WHERE has_table_privilege(current_user, :table, name)"
    )
    named = {"names": names, "table": table}
    return inside(app, lambda: set(db.session.scalars(query, named)))


def test_each_table_is_granted_what_the_shop_needs_of_it(app):
    assert privileges(app, "products") == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert privileges(app, "search_words") == {"SELECT", "INSERT", "UPDATE", "DELETE"}
    assert privileges(app, "audit_events") == {"SELECT", "INSERT"}
    assert privileges(app, "stock_movements") == {"SELECT", "INSERT"}
    assert privileges(app, "alembic_version") == {"SELECT"}


@pytest.fixture
def again(app):
    """Run `flask db upgrade` once more."""

    def run():
        with app.app_context():
            upgrade()
            db.session.remove()

    return run


def test_an_upgrade_grants_what_is_missing_and_takes_back_what_is_too_much(app, environ, again):
    for statement in (
        f"REVOKE ALL ON products FROM {roles.RUNTIME}",
        f"REVOKE ALL ON SEQUENCE products_id_seq FROM {roles.RUNTIME}",
        f"GRANT UPDATE, DELETE, TRUNCATE ON audit_events TO {roles.RUNTIME}",
    ):
        servers.run_sql(environ["DATABASE_OWNER_URL"], statement)

    again()

    test_each_table_is_granted_what_the_shop_needs_of_it(app)
    assert inside(app, factories.product).id


def test_an_upgrade_that_has_nothing_to_grant_runs_no_grant(app):
    with app.app_context(), database_roles.owner_engine().connect() as connection:

        def ask(query, values):
            return connection.exec_driver_sql(query, values).all()

        assert database_roles.missing_grants(ask, roles.RUNTIME) == []
        assert database_roles.missing_grants(ask, roles.MAINTENANCE) != []


def test_the_owners_url_is_used_for_migrations_alone(app):
    who = text("SELECT current_user")

    assert inside(app, lambda: db.session.scalar(who)) == roles.RUNTIME
    with app.app_context(), database_roles.as_owner():
        assert db.session.scalar(who) == roles.OWNER
    assert inside(app, lambda: db.session.scalar(who)) == roles.RUNTIME


def test_without_the_owner_nobody_empties_the_shop(app, environ):
    without = create_app(Testing({**environ, "DATABASE_OWNER_URL": ""}))
    inside(app, factories.product)

    result = without.test_cli_runner().invoke(args=["seed-db", "--reset", "--yes"])

    assert result.exit_code == 1
    assert "DATABASE_OWNER_URL" in result.output
    assert inside(app, lambda: factories.count(Product)) == 1


@pytest.mark.parametrize(
    ("role", "environment", "expected"),
    [
        ("DATABASE_URL", "production", ("ok", "owns nothing")),
        ("DATABASE_OWNER_URL", "production", ("warning", "owns the tables")),
        ("DATABASE_OWNER_URL", "testing", ("ok", "owns the tables")),
    ],
)
def test_the_doctor_warns_of_a_role_that_may_too_much(environ, app, role, environment, expected):
    examined = create_app(Testing({**environ, "DATABASE_URL": environ[role]}))
    examined.config["NAME"] = environment

    report = json.loads(examined.test_cli_runner().invoke(args=["doctor", "--json"]).stdout)

    (finding,) = (check for check in report["checks"] if check["name"] == "role")
    assert finding["status"] == expected[0]
    assert expected[1] in finding["detail"]

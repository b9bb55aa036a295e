"""`doctor` and `export-openapi`."""

import json

import pytest

from app import create_app
from app.config import Development, Production, Testing
from app.extensions import db
from app.models import Store
from app.services.operations.doctor_service import public_url
from tests import factories

pytestmark = pytest.mark.thorough


def doctor(app, *options):
    return app.test_cli_runner().invoke(args=["doctor", *options])


def findings(app):
    result = doctor(app, "--json")
    report = json.loads(result.stdout)
    assert report["ok"] is (result.exit_code == 0)
    return {check["name"]: check for check in report["checks"]}


def statuses(app):
    return {name: check["status"] for name, check in findings(app).items()}


def build(kind, **environ):
    return create_app(kind({"LOG_LEVEL": "ERROR", **environ}), strict=False)


def test_a_healthy_installation_is_well(app, database):
    with app.app_context():
        factories.user(role="admin")

    result = doctor(app)

    assert result.exit_code == 0
    checks = 11 if database.startswith("sqlite") else 12  # the role
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["ok"] * checks


def test_the_settings_in_force_are_shown_with_where_they_come_from(app):
    assert findings(app)["settings"]["detail"] == (
        "ShopSwift (of STORE_NAME), en_US, paid by prepayment, invoice; /admin/settings lacks"
        " legal_name, email, address, country, which mail and invoices need"
    )

    with app.app_context(), db.engine.begin() as connection:
        address = {"line1": "Weidenweg 4", "city": "Berlin"}
        values = {"name": "Osier", "legal_name": "Osier Inc", "email": "hello@osier.example"}
        connection.execute(Store.__table__.update().values(**values, address=address, country="US"))

    assert findings(app)["settings"] == {
        "name": "settings",
        "status": "ok",
        "detail": "Osier (set by staff), en_US, paid by prepayment, invoice",
    }


def test_a_shop_without_staff_is_told_so(app):
    assert statuses(app)["admin"] == "warning"


def test_production_on_known_secrets_and_sqlite_fails(database, tmp_path):
    sick = build(Production, DATABASE_URL=f"sqlite:///{tmp_path}/shop.db", JWT_SECRET_KEY="short")

    found = findings(sick)

    assert found["secrets"]["status"] == found["configuration"]["status"] == "failed"
    assert "JWT_SECRET_KEY is shorter" in found["secrets"]["detail"]
    assert "SQLite" in found["configuration"]["detail"]


def test_each_weak_secret_is_named_once(database):
    weak = build(Production, DATABASE_URL=database, ALLOW_SQLITE="true", SECRET_KEY="short")

    detail = findings(weak)["secrets"]["detail"]

    assert detail == (
        "SECRET_KEY is shorter than 32 bytes; JWT_SECRET_KEY is missing or the development default"
    )


@pytest.mark.parametrize(("kind", "status"), [(Production, "failed"), (Development, "warning")])
def test_one_secret_for_two_purposes_is_told(database, kind, status):
    keys = dict.fromkeys(
        ("SECRET_KEY", "JWT_SECRET_KEY", "METRICS_TOKEN"), "uG9x-4kTq_Zr7LbVw2Xs0NfYcE5hJdMa"
    )
    thrice = build(kind, DATABASE_URL=database, ALLOW_SQLITE="true", **keys)

    found = findings(thrice)["secrets"]

    assert (found["status"], found["detail"]) == (
        status,
        "JWT_SECRET_KEY is the same as SECRET_KEY; METRICS_TOKEN is the same as SECRET_KEY",
    )


def test_production_without_the_names_of_its_hosts_fails(database):
    nameless = build(Production, DATABASE_URL=database, ALLOW_SQLITE="true")

    assert "TRUSTED_HOSTS is missing" in findings(nameless)["configuration"]["detail"]


def test_development_on_known_secrets_is_warned(database):
    assert statuses(build(Development, DATABASE_URL=database))["secrets"] == "warning"


def test_a_database_that_is_not_migrated_fails(tmp_path):
    empty = build(Testing, DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")

    found = findings(empty)

    assert found["migrations"]["status"] == "failed"
    assert "flask db upgrade" in found["migrations"]["detail"]
    assert not {"currency", "admin"} & set(found)  # there are no tables to look into


def test_before_a_migration_a_schema_that_is_behind_is_a_warning(tmp_path):
    empty = build(Testing, DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")

    assert doctor(empty).exit_code == 1
    assert doctor(empty, "--before-migration").exit_code == 0
    assert "warning migrations: at none" in doctor(empty, "--before-migration").stdout


def test_what_is_away_fails_and_no_password_is_shown():
    away = build(
        Testing,
        DATABASE_URL="postgresql://shop:hush-hush@127.0.0.1:1/shop?application_name=hush-hush",
        REDIS_URL="redis://:hush-hush@127.0.0.1:1/0",
    )

    result = doctor(away)

    assert result.exit_code == 1
    assert "failed  database: postgresql+psycopg2://127.0.0.1:1/shop: " in result.stdout
    assert "failed  cache: redis://127.0.0.1:1/0: unreachable" in result.stdout
    assert "hush" not in result.output


def test_another_currency_than_the_recorded_one_fails(app):
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(Store.__table__.update().values(currency="EUR"))

    found = findings(app)

    assert found["currency"]["detail"] == "STORE_CURRENCY is USD, but prices here are in EUR"


def test_a_currency_that_is_not_recorded_yet_is_no_failure(app):
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(Store.__table__.delete())

    assert statuses(app)["currency"] == "ok"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://user:secret@cache:6379/1?x=secret", "redis://cache:6379/1"),
        ("sqlite:////tmp/shop.db", "sqlite:////tmp/shop.db"),
        ("redis://cache:port/0", "redis://cache/0"),
    ],
)
def test_urls_are_shown_without_secrets(url, shown):
    assert public_url(url) == shown


def test_the_api_document_is_the_same_every_time(app, anyone):
    runner = app.test_cli_runner()

    first, second = (runner.invoke(args=["export-openapi"]).stdout for _ in range(2))

    assert first == second
    assert first.endswith("}\n")
    assert json.loads(first) == json.loads(anyone.get("/api/openapi.json").data)


def test_a_refusing_database_is_one_line(tmp_path):
    empty = build(Testing, DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")

    result = empty.test_cli_runner().invoke(args=["audit"])

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The database refused: no such table")
    assert result.stderr.count("\n") == 1

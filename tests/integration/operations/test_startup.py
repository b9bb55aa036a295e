"""Starting the shop: refused in one clear line, or not at all."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
from flask_migrate import upgrade

from app import create_app
from app.config import ROOT, ConfigurationError, Testing
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Store
from app.services.operations.store_service import record_currency
from tests import servers
from tests.integration.conftest import empty
from tests.integration.people import at_once, inside, only_row
from tests.servers import LOCALHOST, PATIENCE, free_port

pytestmark = pytest.mark.processes

PRODUCTION = {
    "FLASK_ENV": "production",
    "SECRET_KEY": secrets.token_urlsafe(48),
    "JWT_SECRET_KEY": secrets.token_urlsafe(48),
    "TRUSTED_HOSTS": "shop.example",
    "ALLOW_SQLITE": "true",
}


def run(*command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """A command of the shop in a process of its own, with these settings and no others."""
    return subprocess.run(
        [sys.executable, *command],
        env={"PATH": os.environ["PATH"], "FLASK_SKIP_DOTENV": "1", **settings},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.races
def test_of_two_who_start_at_once_one_writes_the_currency(app):
    inside(app, lambda: in_transaction(lambda: db.session.execute(db.delete(Store))))

    def record(currency):
        return inside(app, lambda: in_transaction(lambda: record_currency(currency)))

    recorded = at_once(lambda c=c: record(c) for c in ("USD", "EUR", "JPY", "GBP"))

    assert set(recorded) == {only_row(app, Store).currency}


@pytest.mark.parametrize(
    "command",
    [("-c", "import manage"), ("-m", "gunicorn", "manage:app"), ("-m", "flask", "routes")],
    ids=["python", "gunicorn", "flask"],
)
def test_production_without_secrets_ends_with_one_clear_line(command, tmp_path):
    ended = run(
        *command,
        FLASK_APP="manage.py",
        FLASK_ENV="production",
        PORT=str(free_port()),
        DATABASE_URL=f"sqlite:///{tmp_path}/shop.db",
    )

    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.strip() == (
        "ShopSwift cannot start: SECRET_KEY is missing or the development default; JWT_SECRET_KEY"
        " is missing or the development default; TRUSTED_HOSTS is missing (the host names of the"
        " shop, as shop.example); DATABASE_URL names SQLite (set ALLOW_SQLITE=true if that is meant)."
    )


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("revision", [None, "0012"], ids=["empty", "behind"])
def test_in_production_a_server_does_not_start_on_a_schema_that_is_behind(
    database, tmp_path, revision
):
    settings = {
        **PRODUCTION,
        "PORT": str(free_port()),
        "DATABASE_URL": f"sqlite:///{tmp_path}/shop.db",
    }
    shop = create_app(Testing({"DATABASE_URL": settings["DATABASE_URL"]}))
    if revision:
        with shop.app_context():
            upgrade(revision=revision)

    ended = run("-m", "gunicorn", "manage:app", **settings)
    told = shop.test_cli_runner().invoke(args=["schema-state"])

    state = "behind" if revision else "empty"
    assert ended.returncode == 1
    assert ended.stderr.strip().splitlines()[-1] == (
        f"ShopSwift cannot start: the database's schema is {state}: run `flask db upgrade` with this"
        " release first."
    )
    assert (told.exit_code, told.stdout) == (0, f"{state}\n")


def test_a_release_is_told_whether_another_can_serve(app):
    def ask(*arguments):
        result = app.test_cli_runner().invoke(args=["schema-state", *arguments])
        return result.exit_code, result.stdout

    assert ask() == (0, "current\n")
    assert ask("--serving", "0013") == (0, "current\n")
    assert ask("--serving", "0001") == (1, "")
    assert ask("--serving", "9999") == (3, "")


def test_a_value_that_makes_no_sense_ends_gunicorn_with_one_clear_line():
    ended = run("-m", "gunicorn", "manage:app", PORT="http")

    assert ended.returncode == 1
    assert ended.stderr.strip() == (
        "ShopSwift cannot start: PORT must be a whole number from 0 to 65535."
    )


@pytest.fixture(scope="module")
def startable(tmp_path_factory):
    """Settings of a shop that could start."""
    url = f"sqlite:///{tmp_path_factory.mktemp('startup')}/shop.db"
    migrated(url)
    return {"FLASK_ENV": "testing", "DATABASE_URL": url, "REDIS_URL": "",
            "SECRET_KEY": "s" * 40, "JWT_SECRET_KEY": "j" * 40}  # fmt: skip


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize(
    ("by", "host", "family"),
    [("settings", "127.0.0.1", socket.AF_INET), ("arguments", "::1", socket.AF_INET6)],
    ids=["settings", "arguments"],
)
def test_a_port_that_is_taken_ends_gunicorn_with_one_line(startable, by, host, family):
    shown = f"[{host}]" if ":" in host else host
    with socket.create_server((host, 0), family=family) as other:
        port = other.getsockname()[1]
        settings, arguments = (({"HOST": host, "PORT": str(port)}, []) if by == "settings"
                               else ({"PORT": str(free_port())}, ["--bind", f"{shown}:{port}"]))  # fmt: skip
        ended = run("-m", "gunicorn", "manage:app", *arguments, **startable, **settings)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        f"ShopSwift cannot start: another program listens on {shown}:{port}."
        f" Stop it, or choose another port, as in: PORT={port + 1} ./scripts/run"
    )
    for noise in ("Traceback", "Retrying", "Connection in use", "ERROR"):
        assert noise not in ended.stderr
    assert len([line for line in ended.stderr.splitlines() if "Starting gunicorn" not in line]) == 1


@pytest.mark.only_on("sqlite")
def test_an_address_of_another_machine_ends_gunicorn_with_one_line(startable):
    ended = run("-m", "gunicorn", "manage:app", **startable, HOST="192.0.2.1", PORT="5000")

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "ShopSwift cannot start: 192.0.2.1:5000 cannot be listened on: Cannot assign requested"
        " address. HOST names an address of this machine, and PORT a port."
    )


def test_the_doctor_reports_a_value_that_makes_no_sense():
    ended = run("-m", "flask", "doctor", "--json", FLASK_APP="manage.py", PORT="http")

    (check,) = json.loads(ended.stdout)["checks"]
    assert (ended.returncode, check["name"], check["status"]) == (1, "configuration", "failed")
    assert check["detail"] == "PORT must be a whole number from 0 to 65535."


def test_a_database_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(ConfigurationError, match="cannot be made"):
        create_app(Testing({"DATABASE_URL": f"sqlite:///{tmp_path}/file/folder/shop.db"}))


def test_another_currency_than_the_recorded_one_is_refused(app, environ):
    with pytest.raises(ConfigurationError) as refusal:
        create_app(Testing({**environ, "STORE_CURRENCY": "EUR"}))

    assert str(refusal.value) == ("STORE_CURRENCY is EUR, but this database's prices are in USD.")


def test_the_first_start_records_the_currency(app, environ):
    with app.app_context():
        with db.engine.connect().execution_options(shop_writes=True) as connection:
            connection.execute(Store.__table__.delete())
            connection.commit()

        create_app(Testing({**environ, "STORE_CURRENCY": "JPY"}))

        assert db.session.get_one(Store, 1).currency == "JPY"


def test_a_shop_that_is_not_migrated_starts_and_says_so(tmp_path):
    app = create_app(Testing({"DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}))

    answer = app.test_client().get("/healthz/ready")

    assert (answer.status_code, answer.mimetype) == (503, "application/json")
    assert answer.json["database"] == "not_migrated"
    assert app.test_client().get("/healthz/live").status_code == 200


def test_a_shop_whose_database_is_away_starts_and_says_so():
    app = create_app(Testing({"DATABASE_URL": f"postgresql://shop@{LOCALHOST}:{free_port()}/shop"}))

    answer = app.test_client().get("/healthz/ready")

    assert answer.status_code == 503
    assert answer.json["database"] == "unreachable"
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("recorded", "status"), [("USD", 200), ("EUR", 503)])
def test_a_currency_that_could_not_be_compared_at_the_start_is_before_requests(
    tmp_path, recorded, status
):
    url = f"sqlite:///{tmp_path}/shop.db"
    app = create_app(Testing({"DATABASE_URL": url}))
    before = app.test_client().get("/api/categories").status_code
    migrated(url, STORE_CURRENCY=recorded)

    answer = app.test_client().get("/api/categories")

    assert (before, answer.status_code) == (503, status)
    assert app.test_client().get("/healthz/ready").status_code == status
    assert app.test_client().get("/healthz/live").status_code == 200


def test_a_shop_that_was_migrated_after_its_start_records_its_currency(tmp_path):
    url = f"sqlite:///{tmp_path}/shop.db"
    app = create_app(Testing({"DATABASE_URL": url, "STORE_CURRENCY": "JPY"}))
    with app.app_context():
        upgrade()

    app.test_client().get("/api/categories")

    assert only_row(app, Store).currency == "JPY"


def migrated(url: str, **settings: str) -> None:
    """Migrate a database, and start a shop on it once."""
    for _ in range(2):
        app = create_app(Testing({"DATABASE_URL": url, **settings}))
        with app.app_context():
            upgrade()


def test_a_short_secret_is_only_warned_of_in_development(tmp_path):
    ended = run(
        "-c", "import manage", SECRET_KEY="short", DATABASE_URL=f"sqlite:///{tmp_path}/s.db"
    )

    assert ended.returncode == 0
    assert "SECRET_KEY is shorter than 32 bytes" in ended.stderr


@pytest.fixture(scope="module")
def gunicorn(shared_app, environ):
    """Gunicorn with two workers, and where it listens: whatever happens to its workers, it goes on."""
    empty(shared_app)
    with servers.gunicorn(environ, workers=2) as running:
        yield running


HANGUP = """
import gc, runpy
from types import SimpleNamespace

def read_configuration():
    return runpy.run_path("gunicorn.conf.py")

read_configuration()
import manage
after_start = gc.isenabled()
read_configuration()["pre_fork"](SimpleNamespace(WORKERS={}), SimpleNamespace())
print(after_start, gc.isenabled())
"""


def test_workers_collect_garbage_after_a_start_and_after_a_hangup(tmp_path):
    settings = {"FLASK_ENV": "testing", "DATABASE_URL": f"sqlite:///{tmp_path}/shop.db"}

    ended = run("-c", HANGUP, **settings)

    assert ended.stdout == "True True\n", ended.stderr


def workers_of(server: subprocess.Popen[bytes]) -> set[int]:
    """The process ids of a server's workers."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.pid)], capture_output=True, text=True
    )
    return {int(pid) for pid in listed.stdout.split()}


def until_two_work(server: subprocess.Popen[bytes], gone: set[int]) -> set[int]:
    """The two workers of a server, once those in `gone` are gone."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = workers_of(server)
        if len(found) == 2 and not found & gone:
            return found
        time.sleep(0.05)
    raise AssertionError("The workers were not replaced.")


def test_a_worker_that_was_killed_is_replaced(app, gunicorn):
    server, url = gunicorn
    victim = min(until_two_work(server, gone=set()))

    os.kill(victim, signal.SIGKILL)
    until_two_work(server, gone={victim})

    assert requests.get(f"{url}/healthz/ready", timeout=PATIENCE).status_code == 200


def test_a_hangup_replaces_all_workers(app, gunicorn):
    server, url = gunicorn
    before = until_two_work(server, gone=set())

    server.send_signal(signal.SIGHUP)
    until_two_work(server, gone=before)

    assert requests.get(f"{url}/healthz/ready", timeout=PATIENCE).status_code == 200

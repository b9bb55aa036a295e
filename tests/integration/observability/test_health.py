"""Health: alive, ready, and honest when not."""

import time

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import event, text

from app import create_app
from app.config import Testing
from app.db import database_roles
from app.extensions import db, limiter
from app.services.operations import store_service
from tests.integration.conftest import Caller
from tests.integration.people import at_once

pytestmark = pytest.mark.thorough


def test_a_live_process_answers(anyone):
    assert anyone.get("/healthz/live").json == {"status": "ok"}


def test_a_migrated_shop_is_ready(anyone):
    response = anyone.get("/healthz/ready")

    assert response.status_code == 200
    assert response.json["database"] == "ok"


@pytest.fixture
def stands_at(app):
    """Have the database stand at another migration for a while."""

    move_to = text("UPDATE alembic_version SET version_num = :it")

    def move(revision):
        with app.app_context(), database_roles.owner_engine().connect() as connection:
            connection.execution_options(shop_writes=True).execute(move_to, {"it": revision})
            connection.commit()

    with app.app_context():
        newest = store_service.schema_revision()
        db.session.remove()
    yield move
    move(newest)


def test_servers_of_the_release_before_stay_ready_when_the_next_one_has_migrated(
    app, anyone, stands_at
):
    stands_at("f00000000000")

    examined = app.test_cli_runner().invoke(args=["doctor"]).output

    assert anyone.get("/healthz/ready").status_code == 200
    assert "warning migrations: at f00000000000, of a later release" in examined


def test_servers_of_the_next_release_are_not_ready_before_it_has_migrated(anyone, stands_at):
    first = ScriptDirectory("migrations").get_base()
    stands_at(first)

    assert anyone.get("/healthz/ready").json["database"] == "not_migrated"


OUTSIDE = {"REMOTE_ADDR": "8.8.8.8"}
TOKEN = "a-token-for-figures"


@pytest.mark.parametrize(
    "options",
    [
        {"environ_overrides": OUTSIDE},
        {"headers": {"X-Forwarded-For": "10.0.0.1"}},
        {"headers": {"X-Real-IP": "10.0.0.1"}},
        {"environ_overrides": OUTSIDE, "headers": {"Authorization": f"Bearer {TOKEN}"}},
    ],
)
def test_outsiders_and_whoever_comes_through_a_proxy_may_ask_only_whether_it_lives(anyone, options):
    answer = anyone.get("/healthz/ready", **options)

    assert answer.status_code in (401, 403)
    assert "database" not in answer.json
    if answer.status_code == 403:
        assert anyone.get("/healthz/live", **options).status_code == 200


def test_with_the_token_for_figures_anybody_may_ask(app, environ):
    with_token = create_app(Testing({**environ, "METRICS_TOKEN": TOKEN}))
    ask = with_token.test_client().get
    headers = {"Authorization": f"Bearer {TOKEN}"}

    assert ask("/healthz/ready", environ_overrides=OUTSIDE, headers=headers).status_code == 200
    assert ask("/healthz/ready").status_code == 200  # probes of this network have no token
    wrong = {"Authorization": f"Bearer {TOKEN}?"}
    assert ask("/healthz/ready", environ_overrides=OUTSIDE, headers=wrong).status_code == 401
    assert ask("/healthz/ready", environ_overrides=OUTSIDE).status_code == 403


def test_the_database_is_asked_once_in_a_while_however_many_ask(app, environ):
    busy = create_app(Testing(environ))
    busy.config["READY_SECONDS"] = 60
    asked = []
    with busy.app_context():
        event.listen(db.engine, "before_cursor_execute", lambda *_args: asked.append(1))

    Caller(busy).get("/healthz/ready")
    once = len(asked)
    answers = at_once([lambda: Caller(busy).get("/healthz/ready")] * 20)

    assert {answer.status_code for answer in answers} == {200}
    assert 0 < once == len(asked)


def test_an_outage_is_told_after_a_moment(app, environ, stands_at):
    shop = create_app(Testing(environ))
    shop.config["READY_SECONDS"] = 0.2
    assert Caller(shop).get("/healthz/ready").status_code == 200

    stands_at(ScriptDirectory("migrations").get_base())
    time.sleep(0.25)

    assert Caller(shop).get("/healthz/ready").status_code == 503


def test_probes_are_limited_by_themselves(app, environ):
    limits = {"RATELIMIT_ENABLED": "true", "RATELIMIT_DEFAULT": "2 per hour"}
    settings = {**environ, **limits, "RATELIMIT_NETWORK": "1 per hour"}
    shop = create_app(Testing({**settings, "RATELIMIT_STORAGE_URL": "memory://"}))
    try:
        shopping = [Caller(shop).get("/api/categories").status_code for _ in range(2)]
        probes = [Caller(shop).get("/healthz/ready").status_code for _ in range(3)]
    finally:
        limiter.enabled = False

    assert shopping == [200, 429]
    assert probes == [200, 200, 429]

"""Health: alive, ready, and honest when not."""

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import text

from app.extensions import db
from app.services import store_service


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
        with app.app_context(), db.engine.connect() as connection:
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

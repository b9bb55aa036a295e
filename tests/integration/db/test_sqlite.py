"""SQLite as the shop sets it up: safe with several processes."""

import sqlite3
import time
from contextlib import closing

import pytest
from sqlalchemy import text

from app import create_app
from app.config import Testing
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Category
from tests import factories
from tests.figures import figure, read
from tests.integration.people import at_once
from tests.processes import side_by_side

pytestmark = [pytest.mark.processes, pytest.mark.only_on("sqlite")]

READ_THEN_WRITE = """
import sys
from app import create_app
from app.extensions import db
from app.models import Category
from app.db.unit_of_work import in_transaction

def raise_position():
    db.session.get_one(Category, int(sys.argv[1])).position += 1

with create_app().app_context():
    for _ in range(25):
        in_transaction(raise_position)
"""


@pytest.mark.races
def test_four_processes_that_read_then_write_lose_nothing(app, environ):
    with app.app_context():
        row = factories.category(position=0)

    ended = side_by_side(4, READ_THEN_WRITE, str(row.id), environ=environ)

    assert ended.returncode == 0, ended.stderr
    with app.app_context():
        assert factories.reload(row).position == 100


QUEUE = 10


@pytest.mark.races
def test_a_queue_of_writers_that_moves_is_waited_in(app):
    with app.app_context():
        row = factories.category(position=0)

    def write_slowly():
        with app.app_context():
            in_transaction(raise_position)

    def raise_position():
        db.session.get_one(Category, row.id).position += 1
        time.sleep(0.4)  # together more than three tries wait for one who does not get on

    at_once([write_slowly] * QUEUE)

    with app.app_context():
        assert factories.reload(row).position == QUEUE


def test_a_writer_that_does_not_get_on_is_not_waited_for_long(app, anyone):
    person = {"email": "pat@example.com", "password": "correct horse battery"}
    with app.app_context(), db.engine.connect().execution_options(shop_writes=True) as writer:
        with writer.begin():
            refused = anyone.post("/api/auth/register", json=person)

        accepted = anyone.post("/api/auth/register", json=person)

    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert accepted.status_code == 201


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2), ("busy_timeout", 900)],
)
def test_every_connection_is_set_up(app, pragma, value):
    with app.app_context():
        assert db.session.scalar(text(f"PRAGMA {pragma}")) == value


def test_readers_do_not_wait_for_a_writer(app, anyone):
    with app.app_context():
        factories.category()
        with db.engine.connect().execution_options(shop_writes=True) as writer, writer.begin():
            writer.execute(Category.__table__.update().values(position=7))

            assert anyone.get("/healthz/ready").status_code == 200


def test_a_writer_that_waits_in_vain_is_told_within_seconds(app, anyone):
    person = {"email": "pat@example.com", "password": "correct horse battery"}
    with app.app_context():
        writer = db.engine.connect().execution_options(shop_writes=True)
    with writer, writer.begin():
        started = time.monotonic()

        refused = anyone.post("/api/auth/register", json=person)

        waited = time.monotonic() - started
    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert waited < 5  # three tries of 2.5 s would take longer
    figures = read(anyone.get("/metrics").text)
    assert figure(figures, "shop_lock_timeouts_total") >= 1
    assert anyone.post("/api/auth/register", json=person).status_code == 201


def test_a_database_that_may_only_be_read_answers_503_to_writers(app, database):
    path = database.removeprefix("sqlite:///")
    read_only = create_app(Testing({"DATABASE_URL": f"sqlite:///file:{path}?mode=ro&uri=true"}))
    caller = read_only.test_client()
    person = {"email": "pat@example.com", "password": "correct horse battery"}

    assert caller.get("/healthz/ready").status_code == 200
    refused = caller.post("/api/auth/register", json=person)

    assert (refused.status_code, refused.json["code"]) == (503, "unavailable")
    assert int(refused.headers["Retry-After"]) > 0


def test_the_folder_of_the_file_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "shop.db"

    create_app(Testing({"DATABASE_URL": f"sqlite:///{path}"}))

    assert path.parent.is_dir()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

"""PostgreSQL away, full or slow: 503, soon, and nothing said about the inside."""

import os
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2 import extensions
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from app import create_app
from app.config import ROOT, Testing
from app.db import postgresql
from app.extensions import db
from tests import servers
from tests.figures import figure, read
from tests.servers import LOCALHOST, free_port

pytestmark = pytest.mark.only_on("postgresql")


def assert_is_unavailable(response) -> None:
    assert response.status_code == 503
    assert response.mimetype == "application/problem+json"
    assert response.json["code"] == "unavailable"
    assert int(response.headers["Retry-After"]) > 0


def test_a_server_that_is_away_is_503():
    url = f"postgresql://shop@{LOCALHOST}:{free_port()}/shop"
    caller = create_app(Testing({"DATABASE_URL": url})).test_client()

    assert_is_unavailable(caller.get("/api/categories"))
    assert caller.get("/healthz/live").status_code == 200


def test_a_pool_that_is_used_up_is_503_within_seconds(app, environ):
    small = {**environ, "DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "0"}
    crowded = create_app(Testing(small))
    with crowded.app_context(), db.engine.connect():
        started = time.monotonic()

        response = crowded.test_client().get("/api/categories")

        waited = time.monotonic() - started
    assert_is_unavailable(response)
    assert waited < 10  # SQLAlchemy's own default is 30


def test_a_connection_that_broke_is_replaced_unnoticed(app, anyone):
    with app.app_context():
        broken = db.session.scalar(text("SELECT pg_backend_pid()"))
        db.session.remove()
    servers.run_sql(os.environ["TEST_DATABASE_URL"], f"SELECT pg_terminate_backend({broken}, 5000)")

    assert anyone.get("/api/categories").status_code == 200


def test_a_database_without_tables_is_503_as_on_sqlite():
    with servers.database(os.environ["TEST_DATABASE_URL"], "shopswift_bare") as url:
        bare = create_app(Testing({"DATABASE_URL": url}))

        response = bare.test_client().get("/api/categories")
        ready = bare.test_client().get("/healthz/ready")

    assert_is_unavailable(response)
    assert ready.json["database"] == "not_migrated"


def test_a_server_that_takes_no_writes_is_503_to_writers(app, environ):
    name = make_url(environ["DATABASE_URL"]).database
    setting = f'ALTER DATABASE "{name}" SET default_transaction_read_only = '
    servers.run_sql(os.environ["TEST_DATABASE_URL"], setting + "on")
    try:
        standby = create_app(Testing(environ)).test_client()
        person = {"email": "pat@example.com", "password": "correct horse battery"}

        read, refused = (
            standby.get("/api/categories"),
            standby.post("/api/auth/register", json=person),
        )
    finally:
        servers.run_sql(os.environ["TEST_DATABASE_URL"], setting + "off")

    assert read.status_code == 200
    assert_is_unavailable(refused)


def test_a_server_that_falls_silent_is_given_up_and_its_connection_is_dropped(app, monkeypatch):
    monkeypatch.setattr("app.db.postgresql.REQUEST_SECONDS", 0.1)
    with app.test_request_context():
        silent = db.session.scalar(text("SELECT pg_backend_pid()"))
        with pytest.raises(OperationalError, match="silent") as given_up:
            db.session.execute(text("SELECT pg_sleep(10)"))
        db.session.remove()

        assert given_up.value.connection_invalidated
        assert db.session.scalar(text("SELECT pg_backend_pid()")) != silent


def test_a_command_has_more_time_than_a_request(app, monkeypatch):
    monkeypatch.setattr("app.db.postgresql.REQUEST_SECONDS", 0.1)
    with app.app_context():
        assert db.session.execute(text("SELECT pg_sleep(0.3)")).one()


def test_statements_and_locks_end_by_themselves(app):
    with app.app_context():
        assert db.session.scalar(text("SHOW lock_timeout")) == "5s"
        assert db.session.scalar(text("SHOW statement_timeout")) == "20s"
        assert db.session.scalar(text("SHOW timezone")) == "UTC"


def test_what_staff_change_leaves_everybody_elses_deadline_in_place(app, admin):
    lock = text("LOCK TABLE audit_events IN ACCESS EXCLUSIVE MODE")
    waiting = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    change = threading.Thread(
        target=admin.post, args=("/api/categories",), kwargs={"json": {"name": "Lamps"}}
    )
    with app.app_context(), db.engine.begin() as holder:
        holder.execute(lock)
        change.start()
        while not holder.scalar(waiting):
            assert change.is_alive()

        during = extensions.get_wait_callback()

    change.join()
    assert during is postgresql.wait


def test_a_lock_that_is_held_is_503_and_counted_apart_from_an_outage(app, anyone):
    before = figure(read(anyone.get("/metrics").text), "shop_lock_timeouts_total")
    person = {"email": "pat@example.com", "password": "correct horse battery"}
    with app.app_context(), db.engine.begin() as holder:
        holder.execute(text("LOCK TABLE users IN SHARE MODE"))  # readers go on, writers wait
        refused = anyone.post("/api/auth/register", json=person)

    after = figure(read(anyone.get("/metrics").text), "shop_lock_timeouts_total")

    assert_is_unavailable(refused)
    assert after == before + 1


def test_an_operator_finds_who_holds_a_lock_whatever_role_that_is():
    """The query of DEPLOYMENT.md, under a role that has pg_monitor and nothing else."""
    document = (ROOT / "DEPLOYMENT.md").read_text("utf-8")
    query = document.partition("```sql lock-holders\n")[2].partition("```")[0]
    with superuser_of_a_cluster() as superuser:
        operator = make_url(superuser).set(username="operator", password="shows all")
        servers.run_sql(superuser, "CREATE ROLE operator LOGIN PASSWORD 'shows all'")
        servers.run_sql(superuser, "GRANT pg_monitor TO operator")
        servers.run_sql(superuser, "CREATE TABLE held (id integer)")
        with session(superuser) as holder, session(superuser) as waiter:
            holder.execute("LOCK TABLE held")
            holder.execute("SELECT 'who holds it'")
            waiting = threading.Thread(target=waiter.execute, args=("LOCK TABLE held",))
            waiting.start()
            rows = until_blocked(operator, query)
            holder.execute("ROLLBACK")
            waiting.join()

    first = rows[0]
    assert (first["state"], first["blocks"]) == ("idle in transaction", 1)
    assert first["query"] == "SELECT 'who holds it'"
    assert [row["waits_for"] for row in rows if row["pid"] != first["pid"]] == [[first["pid"]]]


@contextmanager
def superuser_of_a_cluster() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="shopswift-pg-") as folder:
        server = servers.PostgreSQL(Path(folder), servers.FORGETFUL)
        server.start()
        try:
            yield server.superuser_url
        finally:
            server.stop()


@contextmanager
def session(url: str) -> Iterator[Any]:
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        yield connection.cursor()
    finally:
        connection.close()


def until_blocked(url: URL, query: str) -> list[Any]:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            for _ in range(500):
                rows = connection.execute(text(query)).mappings().all()
                if any(row["waits_for"] for row in rows):
                    return [row for row in rows if row["blocks"] or row["waits_for"]]
                time.sleep(0.02)
    finally:
        engine.dispose()
    raise AssertionError("nobody waits")

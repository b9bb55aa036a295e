"""The shop through PgBouncer in transaction mode, as deploy/pgbouncer.ini has it.

Few connections serve many processes, one transaction after the other, so nothing may be left on
one. All tests of races run through it too: see `pytest_generate_tests`.
"""

import json
import os
import threading
import time

import pytest
from sqlalchemy import bindparam, create_engine, make_url, select, text

from app import create_app
from app.config import Testing
from app.db.engines import install
from app.db.prepared import CAN_PREPARE, prepared
from app.extensions import db
from app.models import Category
from tests import factories, pooler, servers
from tests.integration.conftest import POOLED, WORKER, Caller
from tests.integration.people import at_once, inside, statuses
from tests.integration.shopping import guest_order, stock
from tests.servers import PATIENCE

pytestmark = pytest.mark.only_on("pgbouncer")
NAME = f"shopswift_{WORKER}{POOLED}"
SHOWN = ("lock_timeout", "statement_timeout", "timezone")


def settings(app):
    """What holds on a connection that the pooler hands out."""
    with app.app_context():
        found = [db.session.scalar(text(f"SHOW {name}")) for name in SHOWN]
        db.session.remove()
    return found


def end_connections():
    """Have the server close all connections to the database, and PgBouncer take notice."""
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = "
    servers.run_sql(os.environ["TEST_DATABASE_URL"], f"{ended}'{NAME}'")
    time.sleep(0.2)


def test_timeouts_hold_without_being_set_by_the_shop(app):
    assert settings(app) == ["5s", "20s", "UTC"]


def test_nothing_is_prepared_through_a_pooler_that_nobody_told_the_shop_of(app, environ):
    named = prepared(select(Category.slug).where(Category.name == bindparam("name")))
    engine = create_engine(environ["DATABASE_URL"], execution_options={CAN_PREPARE: True})
    install(engine)
    inside(app, factories.category, name="Lamps", slug="lamps")

    with engine.connect() as connection:
        found = connection.execute(named, {"name": "Lamps"}).scalar()
        count = connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar()
    engine.dispose()

    assert (found, count) == ("lamps", 0)


def test_more_buyers_than_connections_are_all_served(app, environ):
    product = inside(app, factories.product, stock=100)
    processes = [create_app(Testing(environ)) for _ in range(3)]

    placed = at_once([lambda a=a: guest_order(Caller(a), product) for a in processes * 8])

    with app.app_context():
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND usename = current_user"
        )
        used = db.session.scalar(text(query), {"name": NAME})
    assert len({order["number"] for order in placed}) == 24
    assert stock(app, product) == (100, 24)
    assert used <= pooler.CONNECTIONS


def test_what_a_transaction_sets_for_itself_ends_with_it(app, anyone):
    """A search sets how alike words must be, an audit how long its statements may take."""
    inside(app, factories.product, name="Lamp")

    for _ in range(pooler.CONNECTIONS):
        assert anyone.get("/api/products?q=lmap").status_code == 200
        assert app.test_cli_runner().invoke(args=["audit"]).exit_code == 0

    with app.app_context(), db.engine.connect() as one, db.engine.connect() as other:
        for connection in (one, other):
            share = connection.scalar(text("SHOW pg_trgm.word_similarity_threshold"))
            assert (share, connection.scalar(text("SHOW statement_timeout"))) == ("0.6", "20s")


def test_while_all_connections_are_taken_others_are_told_when_to_come_again(app, environ):
    taken, let_go = threading.Barrier(pooler.CONNECTIONS + 1), threading.Event()

    def take():
        with app.app_context():
            db.session.execute(text("SELECT 1"))
            taken.wait(PATIENCE)
            let_go.wait(PATIENCE)
            db.session.remove()

    takers = [threading.Thread(target=take) for _ in range(pooler.CONNECTIONS)]
    for taker in takers:
        taker.start()
    taken.wait(PATIENCE)
    refused = Caller(app).get("/api/categories")
    let_go.set()
    for taker in takers:
        taker.join()

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert Caller(app).get("/api/categories").status_code == 200


def test_connections_that_the_server_closed_are_replaced_unnoticed(app, anyone):
    assert anyone.get("/api/categories").status_code == 200

    end_connections()
    answers = at_once([lambda: anyone.get("/api/products?page=2")] * pooler.CONNECTIONS)

    assert statuses(answers) == [200] * pooler.CONNECTIONS


def test_the_doctor_tells_what_the_database_should_set(app):
    def finding():
        report = app.test_cli_runner().invoke(args=["doctor", "--json"]).stdout
        return next(check for check in json.loads(report)["checks"] if check["name"] == "pooler")

    before = finding()
    direct = os.environ["TEST_DATABASE_URL"]
    servers.run_sql(direct, f'ALTER DATABASE "{NAME}" RESET lock_timeout')
    end_connections()  # settings of a database count for new ones
    after = finding()
    servers.run_sql(direct, f"ALTER DATABASE \"{NAME}\" SET lock_timeout = '5s'")
    end_connections()

    assert before["status"] == "ok"
    assert (after["status"], after["detail"].split()[-1]) == ("warning", "lock_timeout")


def test_migrations_do_not_go_through_it(app, environ):
    one_role = create_app(Testing({**environ, "DATABASE_OWNER_URL": ""}))
    result = one_role.test_cli_runner().invoke(args=["db", "upgrade"])
    past_it = app.test_cli_runner().invoke(args=["db", "upgrade"])

    assert (result.exit_code, past_it.exit_code) == (1, 0)
    assert "PostgreSQL itself" in str(result.exception or "") + result.output


def test_without_being_told_of_the_pooler_the_shop_says_why_it_cannot_start(environ):
    untold = create_app(Testing({**environ, "DATABASE_POOLER": "false"}))

    report = untold.test_cli_runner().invoke(args=["doctor"])

    assert "unsupported startup parameter" in report.output
    assert make_url(environ["DATABASE_URL"]).database == NAME

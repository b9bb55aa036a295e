"""Statements: counted for each request, told in its line, and logged when they were slow."""

import io
import json
import logging

import pytest
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app import create_app
from app.config import Testing
from app.db import statement_watch
from app.extensions import db
from tests import factories
from tests.figures import figure, read
from tests.integration.conftest import Caller, signed_in

pytestmark = pytest.mark.thorough

SLEEP = {
    "postgresql": "SELECT pg_sleep(0.03) WHERE :name = :name",
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)"
    " SELECT max(i) FROM n WHERE :name = :name",
}


@pytest.fixture
def shop(app, environ):
    """Makes shops, and catches what they log."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level

    def make(**settings: str):
        made = create_app(
            Testing({**environ, "LOG_LEVEL": "INFO", "LOG_FORMAT": "json", **settings})
        )
        stream = io.StringIO()
        made.extensions["log"].setStream(stream)
        return made, lambda: [json.loads(line) for line in stream.getvalue().splitlines()]

    yield make
    root.handlers, root.level = before, level


def dawdle() -> str:
    db.session.execute(text(SLEEP[db.engine.dialect.name]), {"name": "pat@example.com"})
    return ""


def test_a_requests_line_tells_who_asked_what_it_took_and_what_the_cache_said(shop):
    made, lines = shop()
    caller = signed_in(made)

    caller.get("/api/users/me")
    Caller(made).get("/api/products?per_page=9")
    Caller(made).get("/api/products?per_page=9")

    own, missed, hit = lines()
    assert (own["route"], own["user_id"], own["cache"]) == ("/api/users/me", caller.user_id, None)
    assert own["statements"] > 0
    assert own["sql_ms"] >= 0
    assert (missed["user_id"], missed["cache"], hit["cache"]) == (None, "miss", "hit")
    assert missed["statements"] > hit["statements"] == 0


def test_what_one_request_did_is_not_told_of_the_next(shop):
    made, lines = shop()

    Caller(made).get("/api/products?per_page=8")
    Caller(made).get("/healthz/live")

    told = [line for line in lines() if line.get("path") == "/healthz/live"]
    assert [(line["statements"], line["cache"]) for line in told] == [(0, None)]


def test_a_slow_statement_is_logged_without_its_values(shop):
    made, lines = shop(SLOW_QUERY_MS="2")
    made.add_url_rule("/api/dawdle", view_func=dawdle)
    before = read(Caller(made).get("/metrics").text)

    Caller(made).get("/api/dawdle", headers={"X-Request-ID": "mine"})

    (slow,) = [line for line in lines() if line["logger"] == statement_watch.__name__]
    assert (slow["level"], slow["request_id"]) == ("WARNING", "mine")
    assert slow["ms"] >= 2
    assert slow["statement"].startswith(("SELECT pg_sleep", "WITH RECURSIVE"))
    assert "pat@example.com" not in json.dumps(slow)
    after = read(Caller(made).get("/metrics").text)
    name = "shop_slow_statements_total"
    assert figure(after, name) - figure(before, name) == 1


def test_with_zero_no_statement_is_slow(shop):
    made, lines = shop(SLOW_QUERY_MS="0")
    made.add_url_rule("/api/dawdle", view_func=dawdle)

    Caller(made).get("/api/dawdle")

    assert [line["logger"] for line in lines()] == ["shopswift.access"]


@pytest.mark.only_on("postgresql")
def test_a_statement_that_was_given_up_is_the_slowest(shop):
    made, lines = shop(SLOW_QUERY_MS="20")

    def give_up() -> str:
        with pytest.raises(SQLAlchemyError):
            db.session.execute(text("SET LOCAL statement_timeout = 40; SELECT pg_sleep(5)"))
        db.session.rollback()
        return ""

    made.add_url_rule("/api/give-up", view_func=give_up)

    Caller(made).get("/api/give-up")

    slow, line = lines()
    assert "pg_sleep" in slow["statement"]
    assert line["statements"] == 1


def test_a_long_statement_is_cut(shop):
    made, lines = shop(SLOW_QUERY_MS="2")
    long = f"{SLEEP[db_name(made)]} OR '{'x' * 5000}' = :name"

    def ask() -> str:
        db.session.execute(text(long), {"name": "a"})
        return ""

    made.add_url_rule("/api/long", view_func=ask)

    Caller(made).get("/api/long")

    assert len(lines()[0]["statement"]) == statement_watch.LONGEST_TEXT


def test_making_pools_is_not_logged(shop):
    made, lines = shop()

    with made.app_context():
        factories.user()
        db.engine.dispose()

    assert lines() == []


def db_name(made) -> str:
    with made.app_context():
        return db.engine.dialect.name

"""Transactions: whole or not at all, run afresh when the database asks, effects afterwards."""

import logging
import os
import threading
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError, InternalError, OperationalError

from app import create_app
from app.config import Testing
from app.db.unit_of_work import ATTEMPTS, after_commit, in_transaction, open_snapshot
from app.errors import Conflict
from app.extensions import db
from app.models import Category
from tests import factories, servers
from tests.servers import PATIENCE


@pytest.fixture
def context(app: Flask):
    """A pushed application context, as the doors have."""
    with app.app_context():
        yield app


def add_category(slug: str) -> Category:
    row = Category(name=slug, slug=slug)
    db.session.add(row)
    db.session.flush()
    return row


def in_a_thread(app: Flask, work: Any) -> None:
    """Run `work` to its end in a transaction of another thread."""

    def run() -> None:
        with app.app_context():
            in_transaction(work)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(PATIENCE)


def test_what_was_done_stands_and_can_be_read_afterwards(context):
    row = in_transaction(lambda: add_category("books"))

    assert row.slug == "books"
    assert factories.count(Category) == 1


def test_a_refusal_undoes_everything_and_is_not_repeated(context):
    tries = []

    def work() -> None:
        tries.append(1)
        add_category("books")
        raise Conflict("no", "No.")

    with pytest.raises(Conflict):
        in_transaction(work)

    assert len(tries) == 1
    assert factories.count(Category) == 0


def test_the_caller_is_not_left_in_a_broken_session(context):
    with pytest.raises(ZeroDivisionError):
        in_transaction(lambda: (add_category("books"), 1 // 0))

    assert in_transaction(lambda: add_category("books")).slug == "books"


@pytest.mark.only_on("postgresql")
@pytest.mark.races
def test_after_a_lost_race_for_a_unique_value_the_next_try_sees_the_winner(context):
    seen = []

    def work() -> None:
        taken = db.session.scalar(select(Category.id).where(Category.slug == "books"))
        seen.append(taken is not None)
        if taken:
            raise Conflict("slug_taken", "Taken.")
        in_a_thread(context, lambda: add_category("books"))
        add_category("books")

    with pytest.raises(Conflict, match="Taken"):
        in_transaction(work)

    assert seen == [False, True]
    assert factories.count(Category) == 1


@pytest.mark.only_on("postgresql")
@pytest.mark.races
def test_after_a_serialization_failure_the_work_runs_afresh(context):
    row = factories.category(position=0)
    tries = []

    def raise_position() -> None:
        db.session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        mine = db.session.get_one(Category, row.id)
        tries.append(mine.position)
        if len(tries) == 1:
            in_a_thread(context, lambda: move(row.id, by=10))
        mine.position += 1

    in_transaction(raise_position)

    assert tries == [0, 10]
    assert factories.reload(row).position == 11


@pytest.mark.only_on("postgresql")
@pytest.mark.races
def test_of_two_deadlocked_transactions_both_succeed_in_the_end(context):
    first, second = factories.category(position=0), factories.category(position=0)
    both_hold_one = threading.Barrier(2)
    tries: list[int] = []

    def lock_crosswise(one: int, other: int) -> None:
        tries.append(one)
        move(one, by=1)
        if tries.count(one) == 1:
            both_hold_one.wait(PATIENCE)
        move(other, by=1)

    other = threading.Thread(
        target=in_a_thread, args=(context, lambda: lock_crosswise(first.id, second.id))
    )
    other.start()
    in_transaction(lambda: lock_crosswise(second.id, first.id))
    other.join(PATIENCE)

    assert len(tries) == 3
    assert (factories.reload(first).position, factories.reload(second).position) == (2, 2)


def test_three_tries_and_then_the_databases_word_is_final(context):
    factories.category(slug="books")
    tries = []

    def work() -> None:
        tries.append(1)
        add_category("books")

    with pytest.raises(IntegrityError):
        in_transaction(work)

    assert len(tries) == ATTEMPTS


def test_a_check_of_the_database_is_not_tried_again(context):
    tries = []

    def work() -> None:
        tries.append(1)
        row = add_category("books")
        row.parent_id = row.id
        db.session.flush()

    with pytest.raises(IntegrityError):
        in_transaction(work)

    assert len(tries) == 1


def test_a_statement_that_fails_for_good_is_not_tried_again(context):
    tries = []

    def work() -> None:
        tries.append(1)
        db.session.execute(text("SELECT 1 FROM nowhere"))

    with pytest.raises(Exception, match="nowhere"):
        in_transaction(work)

    assert len(tries) == 1


def test_effects_run_once_the_transaction_stands(context):
    counts = []

    def work() -> None:
        after_commit(lambda: counts.append(factories.count(Category)))
        add_category("books")
        assert counts == []

    in_transaction(work)

    assert counts == [1]


def test_a_failing_effect_is_logged_and_hinders_nobody(context, caplog):
    done = []

    def work() -> None:
        after_commit(lambda: 1 // 0)
        after_commit(lambda: done.append("second"))
        add_category("books")

    with caplog.at_level(logging.ERROR):
        in_transaction(work)

    assert done == ["second"]
    assert "ZeroDivisionError" in caplog.text
    assert factories.count(Category) == 1


def test_effects_are_forgotten_when_nothing_was_changed(context):
    done = []

    def work() -> None:
        after_commit(lambda: done.append("never"))
        raise Conflict("no", "No.")

    with pytest.raises(Conflict):
        in_transaction(work)
    in_transaction(lambda: add_category("books"))

    assert done == []


def test_effects_of_a_try_that_failed_are_forgotten(context):
    factories.category(slug="books")
    done = []

    def work() -> None:
        after_commit(lambda: done.append(slug))
        slug = "toys" if tries else "books"
        tries.append(slug)
        add_category(slug)

    tries: list[str] = []
    in_transaction(work)

    assert (tries, done) == (["books", "toys"], ["toys"])


def test_a_transaction_inside_another_is_refused(context):
    def work() -> None:
        add_category("books")
        in_transaction(lambda: add_category("toys"))

    with pytest.raises(RuntimeError, match="inside another"):
        in_transaction(work)

    assert factories.count(Category) == 0
    assert in_transaction(lambda: add_category("books")).id


def test_a_session_that_has_read_may_write_next(context):
    row = factories.category(position=0)
    db.session.scalars(select(Category)).all()

    in_a_thread(context, lambda: move(row.id, by=5))
    in_transaction(lambda: move(row.id, by=1))

    assert factories.reload(row).position == 6


@pytest.mark.only_on("sqlite")
@pytest.mark.races
def test_a_sqlite_that_stays_locked_is_given_up(context, monkeypatch):
    monkeypatch.setattr("app.db.sqlite.BUSY_MILLISECONDS", 50)
    db.engine.dispose()
    tries = []
    blocker = db.engine.connect().execution_options(shop_writes=True)
    with blocker, blocker.begin(), pytest.raises(OperationalError, match="locked"):
        in_transaction(lambda: tries.append(1))

    assert tries == []
    db.engine.dispose()


def move(category_id: int, by: int) -> None:
    db.session.execute(
        update(Category).where(Category.id == category_id).values(position=Category.position + by)
    )


@pytest.mark.only_on("postgresql")
def test_what_was_read_is_answered_though_the_database_died_since(app, environ):
    unlucky = create_app(Testing(environ))
    unlucky.after_request(kill_own_connection)

    answers = [unlucky.test_client().get("/api/categories") for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    with unlucky.app_context():
        assert db.engine.pool.checkedout() == 0


def kill_own_connection(response: Any) -> Any:
    """End the database's process that serves this request, behind its back."""
    pid = db.session.scalar(text("SELECT pg_backend_pid()"))
    servers.run_sql(os.environ["TEST_DATABASE_URL"], f"SELECT pg_terminate_backend({pid}, 10000)")
    return response


@pytest.fixture
def one_connection(app, environ):
    """A request to a shop that has a single connection, which has served a read already."""
    made = create_app(Testing({**environ, "DB_POOL_SIZE": "1", "DB_MAX_OVERFLOW": "1"}))
    with made.test_request_context():
        served = backend()
        db.session.close()
        yield served


def backend() -> tuple[int, bool]:
    """The number of the server's process that reads, and whether it reads by itself."""
    number = db.session.scalar(text("SELECT pg_backend_pid()"))
    return number, driver().autocommit


def driver() -> Any:
    return db.session.connection().connection.dbapi_connection


@pytest.mark.only_on("postgresql")
def test_a_write_that_fails_half_way_is_undone_on_a_connection_that_served_a_read(one_connection):
    used = []

    def work() -> None:
        add_category("books")
        used.append(backend())
        raise Conflict("no", "No.")

    with pytest.raises(Conflict):
        in_transaction(work)

    assert one_connection[1]
    assert used == [(one_connection[0], False)]
    assert backend() == one_connection
    assert factories.count(Category) == 0


@pytest.mark.only_on("postgresql")
def test_a_snapshot_reads_one_moment_and_leaves_nothing_on_its_connection(one_connection):
    before = (driver().readonly, driver().isolation_level)
    open_snapshot()
    seen = factories.count(Category)
    in_a_thread(current_app._get_current_object(), lambda: add_category("books"))

    assert (seen, factories.count(Category)) == (0, 0)
    assert backend() == (one_connection[0], False)
    assert (driver().readonly, driver().isolation_level) == before
    with pytest.raises(InternalError, match="read-only"):
        add_category("more")
    db.session.rollback()
    assert factories.count(Category) == 1

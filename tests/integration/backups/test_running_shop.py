"""A restore into a shop that sells: everything is locked first, and nothing that is confirmed
afterwards is lost."""

import os
import threading
import time
from contextlib import closing, contextmanager

import psycopg2
import pytest
import requests
from backups import postgresql, sqlite
from backups.failure import Failure
from backups.shop import connection_options
from sqlalchemy import create_engine, make_url, text

from app import create_app
from app.config import Testing
from tests import roles, servers
from tests.integration.backups.conftest import numbers
from tests.servers import PATIENCE

pytestmark = pytest.mark.slow

GUEST = {"email": "guest@example.com"}


class Buyers:
    """Guests who order again and again by HTTP: what they were answered, and when they asked."""

    def __init__(self, address, product_id):
        self.answers = []
        self._address, self._product_id = address, product_id
        self._done = threading.Event()
        self._threads = [threading.Thread(target=self._buy_on) for _ in range(3)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_error):
        self._done.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, count):
        """Wait until so many further orders were confirmed."""
        until = len(self.confirmed()) + count
        deadline = time.monotonic() + 60
        while len(self.confirmed()) < until:
            assert time.monotonic() < deadline, self.statuses()
            time.sleep(0.02)

    def confirmed(self, since=0.0):
        """The numbers of orders that were asked for after a moment, and confirmed."""
        return {number for began, status, number in self.answers if number and began >= since}

    def statuses(self):
        return {status for _began, status, _number in self.answers}

    def _buy_on(self):
        while not self._done.is_set():
            began = time.monotonic()
            status, number = self._buy()
            self.answers.append((began, status, number))

    def _buy(self):
        item = {"product_id": self._product_id, "quantity": 1}
        filled = requests.post(f"{self._address}/api/cart/items", json=item, timeout=PATIENCE)
        if filled.status_code >= 400:
            return filled.status_code, None
        token = {"X-Cart-Token": filled.headers["X-Cart-Token"]}
        placed = requests.post(
            f"{self._address}/api/orders", json=GUEST, headers=token, timeout=PATIENCE
        )
        return placed.status_code, placed.json().get("number")


@pytest.mark.races
@pytest.mark.only_on("sqlite", "postgresql")  # restores go past a pooler
def test_a_restore_into_a_shop_that_sells_loses_nothing_afterwards(
    environ, backup, run, database, sold
):
    made = backup()
    before = numbers(database)
    with servers.shop(environ) as address, Buyers(address, sold.id) as buyers:
        buyers.wait_for(10)
        done = run("restore", made, "--yes", url=database)
        restored = time.monotonic()
        buyers.wait_for(10)
    orders = numbers(database)

    assert done.returncode == 0, done.stderr
    assert before <= orders
    assert buyers.confirmed(since=restored)
    assert buyers.confirmed(since=restored) <= orders
    assert {status for status in buyers.statuses() if status >= 500} <= {503}


def test_a_database_that_stays_busy_is_left_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "LOCK_SECONDS", 0.1)
    for name, value in (("old", 1), ("new", 2)):
        with closing(sqlite.sqlite3.connect(tmp_path / name)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE kept AS SELECT ? AS value", [value])
            connection.commit()

    with closing(sqlite.sqlite3.connect(tmp_path / "old", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        with pytest.raises(Failure, match="was busy"):
            sqlite.replace(tmp_path / "new", tmp_path / "old")
        value = writer.execute("SELECT value FROM kept").fetchone()
        writer.execute("ROLLBACK")
        sqlite.replace(tmp_path / "new", tmp_path / "old")
        replaced = writer.execute("SELECT value FROM kept").fetchone()

    assert (value, replaced) == ((1,), (2,))


def test_a_server_that_runs_writes_to_the_database_that_was_put_in_place(tmp_path):
    """An open connection must not go on in a file that has no name any more."""
    for name in ("old", "new"):
        with closing(sqlite.sqlite3.connect(tmp_path / name)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("CREATE TABLE kept (value)")
    with closing(sqlite.sqlite3.connect(tmp_path / "old")) as server:
        server.execute("INSERT INTO kept VALUES ('before')")
        server.commit()
        sqlite.replace(tmp_path / "new", tmp_path / "old")
        server.execute("INSERT INTO kept VALUES ('after')")
        server.commit()

    with closing(sqlite.sqlite3.connect(tmp_path / "old")) as connection:
        assert connection.execute("SELECT value FROM kept").fetchall() == [("after",)]


@contextmanager
def locked(url, table):
    """Somebody holds a table for long."""
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.execute(text(f"LOCK TABLE {table} IN ACCESS SHARE MODE"))
        yield
    engine.dispose()


@pytest.mark.only_on("postgresql")
def test_a_table_that_stays_locked_is_told_of_and_nothing_has_changed(
    app, environ, database, tmp_path, monkeypatch
):
    monkeypatch.setattr(postgresql, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(postgresql, "LOCK_TRY_SECONDS", 1)
    empty = tmp_path / "never-read.dump"

    with locked(database, "orders"), pytest.raises(Failure) as refused:
        postgresql.replace(make_url(roles.as_owner(database)), empty, lambda *_facts: None)

    assert "could not be locked" in str(refused.value)
    assert "server processes that hold locks: " in str(refused.value)
    assert numbers(database) == set()


@pytest.mark.only_on("postgresql")
def test_a_deadlock_with_the_shop_only_makes_the_restore_begin_again(app, database):
    """The shop holds a late table and waits for an early one, which the restore holds."""
    url = make_url(database)
    names = []

    def shop(holds_late):
        with closing(psycopg2.connect(**connection_options(url))) as connection:
            cursor = connection.cursor()
            cursor.execute("LOCK TABLE variants IN ROW EXCLUSIVE MODE")
            holds_late.set()
            time.sleep(0.3)  # until the restore holds the first tables
            try:
                cursor.execute("LOCK TABLE addresses IN ROW EXCLUSIVE MODE")
                names.append("waited")
            except psycopg2.errors.DeadlockDetected:
                names.append("ended")

    holds_late = threading.Event()
    thread = threading.Thread(target=shop, args=[holds_late])
    with postgresql.connected(make_url(roles.as_owner(database))) as connection:
        thread.start()
        holds_late.wait()
        postgresql._lock_tables(connection)
        held = postgresql.rows(
            connection,
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()"
            " AND mode = 'AccessExclusiveLock' AND granted",
        )
    thread.join()

    assert held[0][0] >= 10
    assert names in (["waited"], ["ended"])


@pytest.mark.only_on("sqlite")
def test_an_old_backup_is_migrated_before_anybody_sees_it(run, tmp_path):
    """Whoever reads along sees the shop that was there, and then the new one, migrated."""
    old, shop = f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/shop.db"
    at_revision(old, "-1")
    head = at_revision(shop, "head")
    made = run("backup", tmp_path / "backups", url=old)
    folder = next((tmp_path / "backups").glob("shop-*"))
    seen, done = set(), threading.Event()

    def look():
        with closing(sqlite.sqlite3.connect(tmp_path / "shop.db")) as reader:
            while not done.is_set():
                seen.add(reader.execute("SELECT version_num FROM alembic_version").fetchone())

    reader = threading.Thread(target=look)
    reader.start()
    restored = run("restore", folder, "--yes", url=shop)
    done.set()
    reader.join()

    assert made.returncode == 0, made.stderr
    assert restored.returncode == 0, restored.stderr
    assert ", 0 violations." in restored.stdout
    assert seen == {(head,)}


@pytest.mark.only_on("postgresql")
def test_an_old_backup_is_refused_while_servers_are_connected(run, elsewhere, tmp_path):
    with servers.database(os.environ["TEST_DATABASE_URL"], f"old_{os.getpid()}") as old:
        at_revision(old, "-1")
        made = run("backup", tmp_path / "backups", url=old)
    assert made.returncode == 0, made.stderr
    folder = next((tmp_path / "backups").glob("shop-*"))

    with closing(psycopg2.connect(**connection_options(make_url(elsewhere)))):
        refused = run("restore", folder, url=elsewhere)
    accepted = run("restore", folder, url=elsewhere)

    assert refused.returncode == 1
    assert "1 other sessions are connected" in refused.stderr
    assert "stop the servers" in refused.stderr
    assert accepted.returncode == 0, accepted.stderr


def at_revision(url, revision):
    """Migrate a database up to a revision; which one that is."""
    from flask_migrate import downgrade, upgrade

    from app.extensions import db
    from app.services.operations import store_service

    app = create_app(Testing({**roles.settings(url), "LOG_LEVEL": "WARNING"}))
    with app.app_context():
        upgrade()
        if revision != "head":
            downgrade(revision=revision)
        found = store_service.schema_revision()
        db.session.close()
        db.engine.dispose()
    return found

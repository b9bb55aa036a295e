"""Backup and restore: taken while the shop sells, put in place whole, with books that are right."""

import os
import threading
from hashlib import sha256

import pytest
from sqlalchemy import create_engine, make_url, text

from app.config import Testing
from app.db.database_roles import as_owner
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Order
from tests import roles, servers
from tests.integration.backups.conftest import FILE, numbers, signed_again
from tests.integration.conftest import Caller
from tests.integration.people import inside
from tests.integration.shopping import guest_order

pytestmark = pytest.mark.slow


@pytest.mark.races
@pytest.mark.only_on("sqlite", "postgresql")  # backups go past a pooler
def test_a_backup_under_load_is_of_one_moment(app, sold, backup, command, elsewhere, tmp_path):
    told, done = [], threading.Event()

    def buy():
        while not done.is_set():
            told.append(guest_order(Caller(app), sold)["number"])

    buyers = [threading.Thread(target=buy) for _ in range(2)]
    for buyer in buyers:
        buyer.start()
    while len(told) < 10:
        done.wait(0.01)
    before = set(told)
    made = backup()
    done.set()
    for buyer in buyers:
        buyer.join()

    restored = command("restore", made, url=elsewhere, media="others")

    assert restored.returncode == 0, restored.stderr
    assert "1 products" in restored.stdout
    assert ", 0 violations." in restored.stdout
    everything = inside(app, lambda: set(db.session.scalars(db.select(Order.number))))
    assert before <= numbers(elsewhere) < everything
    assert (tmp_path / "others" / FILE).read_bytes() == b"not looked at"


def test_a_shop_is_not_written_over_unless_that_is_meant(app, sold, backup, run, database):
    made = backup()
    lost = guest_order(Caller(app), sold)["number"]

    refused = run("restore", made, url=database)
    assert refused.returncode == 1
    assert "holds 2 orders, 1 products" in refused.stderr
    assert lost in numbers(database)
    inside(app, lambda: db.engine.dispose())

    meant = run("restore", made, "--yes", url=database)
    assert meant.returncode == 0, meant.stderr
    assert len(numbers(database)) == 1
    assert Caller(app).get(f"/api/products/{sold.id}").status_code == 200


@pytest.mark.only_on("sqlite", "postgresql")
def test_a_restore_leaves_a_line_in_the_security_log(backup, run, elsewhere):
    made = backup()

    assert run("restore", made, url=elsewhere).returncode == 0

    assert security_log(elsewhere) == [("restored", None, f"{made.name} by command")]


def security_log(url):
    """Kind, account and detail of each line."""
    engine = create_engine(Testing({"DATABASE_URL": url}).SQLALCHEMY_DATABASE_URI)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT kind, user_id, detail FROM security_events"))
        lines = [tuple(row) for row in rows]
    engine.dispose()
    return lines


@pytest.mark.only_on("sqlite")
def test_books_that_are_not_right_are_told_of(app, sold, backup, run, elsewhere):
    wrong = text("UPDATE variants SET on_hand = on_hand + 1")
    inside(app, lambda: in_transaction(lambda: db.session.execute(wrong)))

    done = run("restore", backup(), url=elsewhere)

    assert done.returncode == 1
    assert "its books are not right" in done.stderr


@pytest.mark.only_on("postgresql")
def test_a_restore_that_fails_half_way_leaves_the_shop_as_it_was(backup, run, database):
    made = backup()
    dump = made / "database.dump"
    whole = dump.read_bytes()
    dump.write_bytes(whole[: len(whole) * 3 // 4])
    shorter = {"size": dump.stat().st_size, "sha256": sha256(dump.read_bytes()).hexdigest()}
    signed_again(made, lambda body: body["files"].update({"database.dump": shorter}))

    done = run("restore", made, "--yes", url=database)

    assert done.returncode == 1
    assert "as it was before" in done.stderr
    assert len(numbers(database)) == 1


@pytest.mark.only_on("sqlite")
def test_what_is_damaged_or_of_another_database_or_no_backup_is_refused(
    backup, run, elsewhere, tmp_path
):
    made = backup()
    of_another = run("restore", made, url="postgresql://h/x")
    file = next(made.glob("database.*"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    damaged = run("restore", made, url=elsewhere)
    no_backup = run("restore", tmp_path, url=elsewhere)

    assert {done.returncode for done in (of_another, damaged, no_backup)} == {1}
    assert "this is a backup of" in of_another.stderr
    assert "checksum of database.sqlite is another" in damaged.stderr
    assert "is no backup" in no_backup.stderr
    assert not (tmp_path / "elsewhere" / "shop.db").exists()


def set_revision(app, statement):
    with app.app_context(), as_owner():
        in_transaction(lambda: db.session.execute(statement))


def test_a_backup_of_a_later_release_is_served_by_this_one(app, backup, run, elsewhere):
    later = text("UPDATE alembic_version SET version_num = 'of-tomorrow'")
    now = text("SELECT version_num FROM alembic_version")
    here = inside(app, lambda: db.session.scalar(now))
    set_revision(app, later)
    try:
        made = backup()
    finally:
        back = text("UPDATE alembic_version SET version_num = :here").bindparams(here=here)
        set_revision(app, back)

    done = run("restore", made, url=elsewhere)

    assert done.returncode == 0, done.stderr
    assert len(numbers(elsewhere)) == 1


def test_a_cache_that_is_away_keeps_no_restore_from_its_end(
    backup, run, elsewhere, environ, monkeypatch
):
    made = backup()
    monkeypatch.setitem(environ, "REDIS_URL", "redis://127.0.0.1:1/0")

    done = run("restore", made, url=elsewhere)

    assert done.returncode == 0, done.stderr
    assert ", 0 violations." in done.stdout
    assert "the cache could not be emptied" in done.stderr


@pytest.mark.only_on("postgresql")
def test_a_shop_is_put_where_somebody_else_made_the_extensions(app, backup, run, elsewhere):
    made, clerk = backup(), f"clerk_{os.getpid()}"
    name = make_url(elsewhere).database
    owned = f'ALTER DATABASE "{name}" OWNER TO'
    for extension in ("pg_trgm", "fuzzystrmatch"):
        servers.run_sql(roles.as_owner(elsewhere), f"CREATE EXTENSION {extension}")
    maintenance = os.environ["TEST_DATABASE_URL"]
    for statement in (
        f"CREATE ROLE {clerk} LOGIN PASSWORD 'a word'",
        f"GRANT {clerk} TO CURRENT_USER",
        f"{owned} {clerk}",
    ):
        servers.run_sql(maintenance, statement)
    theirs = make_url(elsewhere).set(username=clerk, password="a word")
    owner = {"DATABASE_OWNER_URL": theirs.render_as_string(hide_password=False)}

    done = run("restore", made, url=elsewhere, **owner)

    of_database = make_url(maintenance).set(database=name).render_as_string(hide_password=False)
    servers.run_sql(maintenance, f"{owned} {roles.OWNER}")
    servers.run_sql(of_database, f"REASSIGN OWNED BY {clerk} TO {roles.OWNER}")
    servers.run_sql(maintenance, f"DROP ROLE {clerk}")
    assert done.returncode == 0, done.stderr
    assert len(numbers(elsewhere)) == 1


@pytest.mark.only_on("sqlite")
def test_the_oldest_backups_go(backup, command, tmp_path):
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "of-somebody-else").mkdir()
    older = ["shop-20250101T000000.000000Z", "shop-20250102T000000.000000Z"]
    for name in older:
        (tmp_path / "backups" / name).mkdir()

    last = backup("--keep", "2", run=command)

    left = sorted(path.name for path in (tmp_path / "backups").glob("shop-*"))
    assert left == [older[1], last.name]
    assert last.stat().st_mode & 0o077 == 0
    assert (tmp_path / "backups" / "of-somebody-else").exists()


@pytest.mark.only_on("sqlite")
def test_a_backup_that_fails_leaves_nothing(run, tmp_path):
    for url in (f"sqlite:///{tmp_path}/nowhere.db", "postgresql://127.0.0.1:1/nowhere"):
        done = run("backup", tmp_path / "backups", url=url)

        assert done.returncode == 1
        assert done.stderr.startswith("backup: ")
        assert "Traceback" not in done.stderr
        assert list((tmp_path / "backups").iterdir()) == []

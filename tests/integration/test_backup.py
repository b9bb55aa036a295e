"""Backup and restore: taken while the shop sells, put in place whole, with books that are right."""

import os
import re
import subprocess
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

from app.config import ROOT, Testing
from app.extensions import db
from app.gateways.media import FolderStore
from app.models import Order
from app.unit_of_work import in_transaction
from tests import factories, roles, servers
from tests.integration.conftest import Caller
from tests.integration.people import inside
from tests.integration.shopping import guest_order

PICTURE = {"id": "a" * 32, "alt": "", "width": 320, "height": 320}
FILE = f"{PICTURE['id']}-320.webp"


@pytest.fixture
def sold(app, tmp_path, monkeypatch):
    """A shop with a product, its picture and an order; the product."""
    monkeypatch.setitem(app.extensions, "media", FolderStore(tmp_path / "media", "/media"))
    app.extensions["media"].save(FILE, b"not looked at")
    product = inside(app, factories.product, stock=100_000, images=[PICTURE])
    guest_order(Caller(app), product)
    return product


@pytest.fixture
def elsewhere(request, database, tmp_path):
    """The URL of an empty database of the same kind."""
    if database.startswith("sqlite"):
        yield f"sqlite:///{tmp_path}/elsewhere/shop.db"
        return
    with servers.database(os.environ["TEST_DATABASE_URL"], f"restored_{os.getpid()}") as url:
        yield url


@pytest.fixture
def run(environ, tmp_path):
    """Run one of the scripts on a database, with the pictures in a folder."""

    def call(script, *arguments, url, media="media"):
        settings = {"DATABASE_URL": url, "MEDIA_FOLDER": str(tmp_path / media)}
        return subprocess.run(
            [ROOT / "scripts" / script, *arguments],
            env={**os.environ, **environ, **settings},
            capture_output=True,
            text=True,
        )

    return call


@pytest.fixture
def backup(run, database, tmp_path, sold):
    """A backup of the shop; its folder."""

    def make(*options, folder="backups"):
        done = run("backup", tmp_path / folder, *options, url=database)
        assert done.returncode == 0, done.stderr
        return Path(re.match(r"backup: (.+?): [0-9.]+ MB", done.stdout).group(1))

    return make


def numbers(url):
    """The numbers of all orders in a database."""
    engine = create_engine(Testing({"DATABASE_URL": url}).SQLALCHEMY_DATABASE_URI)
    with engine.connect() as connection:
        found = set(connection.scalars(text("SELECT number FROM orders")))
    engine.dispose()
    return found


@pytest.mark.races
@pytest.mark.only_on("sqlite", "postgresql")  # backups go past a pooler
def test_a_backup_under_load_is_of_one_moment(app, sold, backup, run, elsewhere, tmp_path):
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

    restored = run("restore", made, url=elsewhere, media="others")

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
    facts = (made / "backup.json").read_text()
    shorter = subprocess.run(["sha256sum", dump], capture_output=True, text=True).stdout[:64]
    (made / "backup.json").write_text(re.sub("[0-9a-f]{64}", shorter, facts))

    done = run("restore", made, "--yes", url=database)

    assert done.returncode == 1
    assert "as it was before" in done.stderr
    assert len(numbers(database)) == 1


@pytest.mark.only_on("sqlite")
def test_what_is_damaged_or_of_another_database_or_no_backup_is_refused(
    backup, run, elsewhere, tmp_path
):
    made = backup()
    other = f"sqlite:///{tmp_path}/x.db" if "postgresql" in elsewhere else "postgresql://h/x"
    of_another = run("restore", made, url=other)
    file = next(made.glob("database.*"))
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    damaged = run("restore", made, url=elsewhere)
    no_backup = run("restore", tmp_path, url=elsewhere)

    assert {done.returncode for done in (of_another, damaged, no_backup)} == {1}
    assert "this is a backup of" in of_another.stderr
    assert "checksum" in damaged.stderr
    assert "is no backup" in no_backup.stderr


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("facts", ["{", "[]", "{}"])
def test_what_a_backup_says_of_itself_may_be_damaged(backup, run, elsewhere, facts):
    made = backup()
    (made / "backup.json").write_text(facts)

    done = run("restore", made, url=elsewhere)

    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert done.stderr.endswith("is no backup.\n")


def test_a_backup_of_a_later_release_is_served_by_this_one(app, backup, run, elsewhere):
    later = text("UPDATE alembic_version SET version_num = 'of-tomorrow'")
    now = text("SELECT version_num FROM alembic_version")
    here = inside(app, lambda: db.session.scalar(now))
    inside(app, lambda: in_transaction(lambda: db.session.execute(later)))
    try:
        made = backup()
    finally:
        back = text("UPDATE alembic_version SET version_num = :here").bindparams(here=here)
        inside(app, lambda: in_transaction(lambda: db.session.execute(back)))

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
        servers.run_sql(elsewhere, f"CREATE EXTENSION {extension}")
    maintenance = os.environ["TEST_DATABASE_URL"]
    for statement in (
        f"CREATE ROLE {clerk} LOGIN PASSWORD 'a word'",
        f"GRANT {clerk} TO CURRENT_USER",
        f"{owned} {clerk}",
    ):
        servers.run_sql(maintenance, statement)
    theirs = make_url(elsewhere).set(username=clerk, password="a word")

    done = run("restore", made, url=theirs.render_as_string(hide_password=False))

    of_database = make_url(maintenance).set(database=name).render_as_string(hide_password=False)
    servers.run_sql(maintenance, f"{owned} {roles.OWNER}")
    servers.run_sql(of_database, f"REASSIGN OWNED BY {clerk} TO {roles.OWNER}")
    servers.run_sql(maintenance, f"DROP ROLE {clerk}")
    assert done.returncode == 0, done.stderr
    assert len(numbers(elsewhere)) == 1


@pytest.mark.only_on("sqlite")
def test_the_oldest_backups_go(backup, tmp_path):
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "of-somebody-else").mkdir()
    older = ["shop-20250101T000000.000000Z", "shop-20250102T000000.000000Z"]
    for name in older:
        (tmp_path / "backups" / name).mkdir()

    last = backup("--keep", "2")

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

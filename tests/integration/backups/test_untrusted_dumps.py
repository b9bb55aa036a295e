"""What a dump could do to the server and to this machine, if its signature were passed."""

import os
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import psycopg2
import pytest
from backups import postgresql
from backups.failure import Failure
from backups.shop import connection_options, connection_string, program
from sqlalchemy import make_url

from tests import roles, servers
from tests.integration.backups.conftest import numbers, signed_again

pytestmark = [pytest.mark.slow, pytest.mark.only_on("postgresql")]


def with_fake(folder: Path, name: str, script: str) -> Path:
    """A folder with a program of PostgreSQL's that runs a script first, and then itself."""
    folder.mkdir()
    real = program(name, postgresql.server_version(make_url(os.environ["TEST_DATABASE_URL"])))
    file = folder / name
    file.write_text(f'#!/bin/sh\n[ "$1" = --version ] || {{ {script}; }}\nexec {real} "$@"\n')
    file.chmod(0o755)
    return folder


def test_a_password_is_on_no_command_line(run, database, sold, tmp_path, monkeypatch):
    folder = with_fake(tmp_path / "bin", "pg_dump", f'echo "$0" "$@" >> {tmp_path}/arguments')
    monkeypatch.setenv("PG_BIN", str(folder))
    password = make_url(roles.as_owner(database)).password

    done = run("backup", tmp_path / "backups", url=database)
    arguments = (tmp_path / "arguments").read_text()

    assert done.returncode == 0, done.stderr
    assert password not in done.stdout + done.stderr
    assert "user=" in arguments
    assert password not in arguments
    assert "***" not in arguments
    assert password.partition("-")[2] not in arguments


def test_the_folder_that_is_named_goes_before_another_of_the_same_version(tmp_path, monkeypatch):
    folders = {name: tmp_path / name for name in ("a", "b")}
    for folder in folders.values():
        folder.mkdir()
        (folder / "pg_other").write_text('#!/bin/sh\necho "pg_other (PostgreSQL) 15.4"\n')
        (folder / "pg_other").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folders['a']}:{os.environ['PATH']}")
    monkeypatch.setenv("PG_BIN", str(folders["b"]))

    assert program("pg_other", 15) == str(folders["b"] / "pg_other")


def test_a_password_reaches_the_program_as_it_is():
    url = make_url("postgresql+psycopg2://shop@h:5433/shop?sslmode=require&application_name=x")
    password = " p@ss:/w o'r\\d%+\""

    where, environment = connection_string(url.set(password=password))
    in_query = connection_string(url.update_query_dict({"password": password}))

    assert environment["PGPASSWORD"] == in_query[1]["PGPASSWORD"] == password
    assert password not in where + in_query[0]
    assert psycopg2.extensions.parse_dsn(where) == {
        "user": "shop", "host": "h", "port": "5433", "dbname": "shop", "sslmode": "require",
        "application_name": "x",
    }  # fmt: skip


def test_commands_for_psql_are_not_run(backup, run, elsewhere, tmp_path):
    """A dump that was changed and signed again, as by whoever has stolen the key."""
    made = backup()
    dump = made / "database.dump"
    with tempfile.TemporaryDirectory(prefix="x", dir="/tmp") as folder:
        mark = Path(folder) / "m"
        statement = b"CREATE TABLE public.alembic_version ("
        command = f"\n\\! touch {mark}\n".encode().ljust(len(statement))
        content = dump.read_bytes()
        assert content.count(statement) == 1
        assert len(command) == len(statement)
        dump.write_bytes(content.replace(statement, command))
        changed = {"size": len(content), "sha256": sha256(dump.read_bytes()).hexdigest()}
        signed_again(made, lambda body: body["files"].update({"database.dump": changed}))

        done = run("restore", made, url=elsewhere)

        assert done.returncode == 1
        assert "syntax error" in done.stderr
        assert not mark.exists()


@pytest.fixture(scope="module")
def superuser_url(tmp_path_factory):
    """The URL of a superuser of a cluster of its own."""
    if os.geteuid() == 0:  # its server runs as nobody, who has to reach the folder
        folder = Path(tempfile.mkdtemp(prefix="shopswift-superuser-"))
    else:
        folder = tmp_path_factory.mktemp("superuser")
    server = servers.PostgreSQL(folder, servers.FORGETFUL)
    server.start()
    yield server.superuser_url
    server.stop()


def test_a_superuser_restores_nothing(superuser_url, backup, run):
    made = backup()

    refused = run("restore", made, url=superuser_url, DATABASE_OWNER_URL=superuser_url)

    assert refused.returncode == 1
    assert "is a superuser or may run programs on the server" in refused.stderr
    with pytest.raises(psycopg2.errors.UndefinedTable):
        numbers_of(superuser_url)


def test_neither_does_a_role_that_may_run_programs(superuser_url, tmp_path):
    for statement in (
        "CREATE ROLE powerful LOGIN PASSWORD 'a word'",
        "CREATE ROLE between",
        "GRANT pg_execute_server_program TO between",
        "GRANT between TO powerful",
    ):
        servers.run_sql(superuser_url, statement)
    url = make_url(superuser_url).set(username="powerful", password="a word")

    with pytest.raises(Failure, match="the role powerful is a superuser or may run programs"):
        postgresql.replace(url, tmp_path / "never-read", lambda *_facts: None)


def numbers_of(url):
    with closing(psycopg2.connect(**connection_options(make_url(url)))) as connection:
        connection.cursor().execute("SELECT number FROM orders")


def test_a_backup_and_its_folder_are_for_their_owner_alone(backup, command):
    made = backup(run=command)

    modes = {stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [made, *made.rglob("*")]}

    assert modes == {0}


def test_the_shops_own_role_may_back_up(run, database, sold, elsewhere, tmp_path):
    """The owner's password is needed for a restore alone."""
    own_role = {"DATABASE_OWNER_URL": ""}

    done = run("backup", tmp_path / "backups", url=database, **own_role)
    assert done.returncode == 0, done.stderr
    restored = run("restore", *(tmp_path / "backups").glob("shop-*"), url=elsewhere)

    assert restored.returncode == 0, restored.stderr
    assert len(numbers(elsewhere)) == 1


@pytest.fixture
def driller():
    """The URL of a role that has no rights in the shop's database, and may not yet create others."""
    maintenance, name = os.environ["TEST_DATABASE_URL"], f"driller_{os.getpid()}"
    servers.run_sql(maintenance, f"CREATE ROLE {name} LOGIN PASSWORD 'a word'")
    servers.run_sql(maintenance, f"GRANT {name} TO CURRENT_USER")
    yield make_url(maintenance).set(username=name, password="a word")
    servers.run_sql(maintenance, f"DROP ROLE {name}")


def test_the_drill_tries_the_newest_backup_and_leaves_nothing(
    backup, run, database, tmp_path, driller
):
    made, name = backup(), driller.username
    maintenance = os.environ["TEST_DATABASE_URL"]
    before = databases(maintenance)
    settings = {"DATABASE_OWNER_URL": driller.render_as_string(hide_password=False)}
    drill = (tmp_path / "backups", "--drill")

    refused = run("restore", *drill, url=database, media="never-made", **settings)
    servers.run_sql(maintenance, f"ALTER ROLE {name} CREATEDB")
    # As a drill that was killed has left it.
    servers.run_sql(maintenance, f"CREATE DATABASE postgres_drill_0123abcd OWNER {name}")
    done = run("restore", *drill, url=database, media="never-made", **settings)

    assert refused.returncode == 1
    assert "permission denied to create database" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert done.returncode == 0, done.stderr
    assert f"drill: {made}: restored, audited and dropped, 1 files of pictures" in done.stdout
    assert ", 0 violations." in done.stdout
    assert databases(maintenance) == before
    assert not (tmp_path / "never-made").exists()
    assert len(numbers(database)) == 1


def databases(url):
    """The databases of a server that drills have made."""
    with closing(psycopg2.connect(**connection_options(make_url(url)))) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT datname FROM pg_database WHERE datname ~ '_drill_[0-9a-f]{8}$'")
        return {name for (name,) in cursor.fetchall()}


def test_the_command_needs_no_installed_package(tmp_path):
    """The scripts find the shop from any folder."""
    done = subprocess.run(
        [sys.executable, servers.ROOT / "scripts" / "restore.py", "--help"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0
    assert "--drill" in done.stdout

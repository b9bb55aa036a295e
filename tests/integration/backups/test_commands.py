"""The commands on SQLite: keys, what is left behind, figures, and the drill."""

import json
import os
import subprocess
import time
from fcntl import LOCK_EX, flock

import pytest

from app.config import ROOT
from app.observability import task_status
from tests.integration.backups.conftest import FILE, numbers

pytestmark = [pytest.mark.slow, pytest.mark.only_on("sqlite")]
OLD, NEW = "o" * 20 + "-of-last-year", "n" * 20 + "-of-this-year"


@pytest.fixture
def status(environ, tmp_path, monkeypatch):
    """A folder of this test's own for how tasks ended."""
    monkeypatch.setitem(environ, "STATUS_FOLDER", str(tmp_path / "status"))
    return tmp_path / "status"


def test_a_key_is_replaced_while_its_backups_are_kept(backup, run, elsewhere, environ, monkeypatch):
    monkeypatch.setitem(environ, "BACKUP_KEY", OLD)
    made = backup()

    monkeypatch.setitem(environ, "BACKUP_KEY", NEW)
    refused = run("restore", made, url=elsewhere)
    monkeypatch.setitem(environ, "BACKUP_KEY_PREVIOUS", f"{'x' * 40},{OLD}")
    accepted = run("restore", made, url=elsewhere)

    assert (refused.returncode, accepted.returncode) == (1, 0), accepted.stderr
    assert "is not by BACKUP_KEY or BACKUP_KEY_PREVIOUS" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(numbers(elsewhere)) == 1


def test_production_backs_up_with_a_key_of_its_own_only(run, sold, database, environ, tmp_path):
    production = {"FLASK_ENV": "production", "ALLOW_SQLITE": "true"}
    done = subprocess.run(
        [ROOT / "scripts" / "backup", tmp_path / "backups"],
        env={**os.environ, **environ, **production, "DATABASE_URL": database},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert done.stderr == "backup: BACKUP_KEY is missing or the development default.\n"
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_good_backup_is_told_with_its_time_and_size(backup, status, run, tmp_path):
    before = time.time()
    made = backup()
    good = task_status.read(status, "backup")
    failed = run("backup", tmp_path / "backups", url=f"sqlite:///{tmp_path}/nowhere.db")
    bad = task_status.read(status, "backup")

    files = json.loads((made / "backup.json").read_text())["files"]
    assert failed.returncode == 1
    assert before <= good.succeeded_at <= time.time()
    assert good.value == sum(file["size"] for file in files.values())
    assert (good.failed, bad) == (False, good._replace(failed=True))


def test_purge_and_audit_tell_how_they_ended(app, status, monkeypatch):
    monkeypatch.setitem(app.config, "STATUS_FOLDER", str(status))
    runner = app.test_cli_runner()

    runner.invoke(args=["purge", "--dry-run"])
    dry = task_status.read(status, "purge")
    for task in ("purge", "audit"):
        assert runner.invoke(args=[task]).exit_code == 0

    assert dry == task_status.TaskStatus()
    assert task_status.read(status, "purge").succeeded_at > 0
    assert task_status.read(status, "audit")[1:] == (False, 0)
    told = app.test_client().get("/metrics").text
    assert 'shop_task_failed{task="audit"} 0.0' in told


def test_what_a_killed_backup_left_is_deleted(backup, tmp_path):
    unfinished = tmp_path / "backups" / ".shop-20260101T000000.000000Z"
    (unfinished / "media").mkdir(parents=True)

    backup()

    assert not unfinished.exists()


def test_two_backups_into_one_folder_take_turns(run, sold, database, tmp_path):
    (tmp_path / "backups").mkdir()
    folder = os.open(tmp_path / "backups", os.O_RDONLY)
    flock(folder, LOCK_EX)
    done = run("backup", tmp_path / "backups", url=database)
    os.close(folder)

    assert done.returncode == 1
    assert "another backup" in done.stderr


def test_a_link_among_the_pictures_gets_into_no_backup(backup, tmp_path, sold):
    (tmp_path / "secret").write_text("SECRET_KEY=")
    (tmp_path / "media" / f"{'b' * 32}-320.webp").symlink_to(tmp_path / "secret")

    made = backup()

    assert [path.name for path in (made / "media").iterdir()] == [FILE]


def test_the_drill_tries_the_newest_backup(backup, run, database, tmp_path, status):
    older = backup()
    made = backup()
    (older / "backup.json").write_text("{}")  # not looked at
    before = (tmp_path / "media").stat().st_mtime_ns, numbers(database)

    good = run("restore", tmp_path / "backups", "--drill", url=database)
    told = task_status.read(status, "drill")
    (made / "media" / FILE).write_bytes(b"changed")
    bad = run("restore", tmp_path / "backups", "--drill", url=database)
    failed = task_status.read(status, "drill")

    assert good.returncode == 0, good.stderr
    assert f"drill: {made}: restored, audited and dropped, 1 files of pictures" in good.stdout
    assert ", 0 violations." in good.stdout
    assert bad.returncode == 1
    assert "the backup is damaged" in bad.stderr
    assert (told.failed, failed) == (False, told._replace(failed=True))
    assert ((tmp_path / "media").stat().st_mtime_ns, numbers(database)) == before
    assert task_status.read(status, "audit") == task_status.TaskStatus()  # of the scratch only


def test_a_drill_without_a_backup_fails(run, tmp_path, database):
    (tmp_path / "backups").mkdir()

    done = run("restore", tmp_path / "backups", "--drill", url=database)

    assert (done.returncode, done.stderr) == (
        1, f"restore: there is no backup in {tmp_path}/backups.\n",
    )  # fmt: skip

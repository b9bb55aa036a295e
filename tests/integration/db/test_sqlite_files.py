"""SQLite's files are this user's alone: new ones whatever the umask is, and those that are there."""

import os
import stat
from contextlib import contextmanager

import pytest
from sqlalchemy import text

from app import config, create_app
from app.config import Testing
from app.extensions import db
from app.services.operations import doctor_service

pytestmark = pytest.mark.thorough


@pytest.fixture(autouse=True)
def lax_umask():
    """What others may read by default, as on most machines."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path) -> str:
    return oct(stat.S_IMODE(path.stat().st_mode))


def files_of(folder) -> dict[str, str]:
    return {path.name: mode(path) for path in folder.iterdir()}


@contextmanager
def writing_shop(file):
    """A shop that has written to its database, and keeps a connection open."""
    app = create_app(Testing({"DATABASE_URL": f"sqlite:///{file}"}))
    with app.app_context():
        with db.engine.connect() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS a (b)"))
            connection.commit()
            yield app
        db.engine.dispose()


PRIVATE = {"shop.db": "0o600", "shop.db-wal": "0o600", "shop.db-shm": "0o600"}


def test_a_new_database_is_for_its_user_alone(tmp_path):
    with writing_shop(tmp_path / "new" / "shop.db"):
        assert files_of(tmp_path / "new") == PRIVATE
        assert mode(tmp_path / "new") == "0o700"


def test_an_existing_database_is_tightened_at_the_start(tmp_path):
    file = tmp_path / "old" / "shop.db"
    with writing_shop(file):
        for path in (file.parent, *file.parent.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o644)

        with writing_shop(file):
            assert files_of(file.parent) == PRIVATE
            assert mode(file.parent) == "0o700"


def test_a_folder_that_is_shared_with_others_keeps_its_mode(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "something else").touch()

    with writing_shop(tmp_path / "shop.db"):
        assert mode(tmp_path) == "0o755"
        assert mode(tmp_path / "shop.db") == "0o600"


def test_the_shops_own_folder_is_tightened_and_its_pictures_stay_readable(tmp_path, monkeypatch):
    monkeypatch.setattr(config, "ROOT", tmp_path)
    media = tmp_path / "instance" / "media"
    media.mkdir(parents=True)
    media.chmod(0o755)
    media.parent.chmod(0o755)

    with writing_shop(tmp_path / "instance" / "shop.db"):
        assert mode(media.parent) == "0o700"
        assert mode(media) == "0o755"


def test_a_file_that_was_removed_while_the_shop_ran_is_made_private_again(tmp_path):
    file = tmp_path / "shop.db"
    app = create_app(Testing({"DATABASE_URL": f"sqlite:///{file}"}))
    with app.app_context():
        db.engine.connect().close()
        db.engine.dispose()
        file.unlink()
        db.engine.connect().close()
        db.engine.dispose()

    assert mode(file) == "0o600"


def test_the_doctor_names_files_that_others_may_read(tmp_path):
    file = tmp_path / "shop.db"
    with writing_shop(file):
        well = list(doctor_service._files())
        file.chmod(0o644)
        tmp_path.chmod(0o777)

        (finding,) = doctor_service._files()

    assert well == []
    assert (finding.name, finding.status) == ("files", "warning")
    assert f"{file}, {tmp_path}" in finding.detail

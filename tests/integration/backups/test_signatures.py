"""Whoever changes a backup, but does not have BACKUP_KEY, changes nothing that is restored."""

import hashlib
import json
import os
import shutil

import pytest
from backups import files, manifests, pictures
from backups.failure import Failure
from backups.files import FileDigest
from backups.manifests import Manifest

from app.config import ConfigurationError, load
from tests.integration.backups.conftest import FILE, signed_again

KEY = "k" * 20 + "-only-for-these-tests"
NAME = "shop-20261122T031700.000000Z"
CONTENTS = {"database.sqlite": b"a database", f"media/{FILE}": b"a picture"}
PRODUCTION = {
    "FLASK_ENV": "production",
    "SECRET_KEY": "one secret of more than 32 bytes, for tests",
    "JWT_SECRET_KEY": "another secret of more than 32 bytes, for tests",
    "DATABASE_URL": "postgresql://shop@localhost/shop",
    "TRUSTED_HOSTS": "shop.example",
}


def facts(data: bytes) -> FileDigest:
    return FileDigest(len(data), hashlib.sha256(data).hexdigest())


@pytest.fixture
def backup(tmp_path):
    """A small backup, signed with KEY."""
    folder = tmp_path / NAME
    (folder / "media").mkdir(parents=True)
    for path, data in CONTENTS.items():
        (folder / path).write_bytes(data)
    database, picture = (facts(data) for data in CONTENTS.values())
    manifests.write(
        folder,
        Manifest(NAME, "2026-11-22T03:17:00+00:00", "sqlite", database, {FILE: picture}),
        KEY,
    )
    return folder


def refusal(backup, *keys):
    """Why the manifest is refused."""
    with pytest.raises(Failure) as refused:
        manifests.read(backup, keys or (KEY,))
    return str(refused.value)


def staged_in(backup, target, manifest):
    """Stage and place the pictures of a manifest; the names that were missing."""
    with pictures.staged(backup, manifest.pictures, target) as staged:
        names = set(staged)
        pictures.place(staged, target)
    return names


def test_a_signed_manifest_is_read_with_any_of_the_keys(backup):
    manifest = manifests.read(backup, ["another key", KEY])

    assert manifest.pictures == {FILE: facts(b"a picture")}
    assert manifest.size == len(b"a database") + len(b"a picture")


def test_what_is_not_signed_with_the_key_is_refused_before_it_is_parsed(backup):
    assert "is not by BACKUP_KEY" in refusal(backup, "k" * 40)
    (backup / manifests.FILE).write_text("{" * 100_000)
    assert "is not by BACKUP_KEY" in refusal(backup)
    (backup / manifests.SIGNATURE).write_bytes(b"\xff" * 64)
    assert "is not by BACKUP_KEY" in refusal(backup)
    (backup / manifests.SIGNATURE).write_text("")
    assert "is not by BACKUP_KEY" in refusal(backup)
    (backup / manifests.SIGNATURE).unlink()
    assert "is not signed" in refusal(backup)


def test_another_use_of_the_key_signs_no_manifest(backup):
    data = (backup / manifests.FILE).read_bytes()
    (backup / manifests.SIGNATURE).write_text(hashlib.sha256(KEY.encode() + data).hexdigest())

    assert "is not by BACKUP_KEY" in refusal(backup)


def test_an_older_backup_does_not_pass_for_a_newer_one(backup):
    newer = backup.rename(backup.with_name("shop-20261123T031700.000000Z"))

    assert f"was renamed: it is {NAME}" in refusal(newer)


@pytest.mark.parametrize("name", [manifests.FILE, manifests.SIGNATURE])
def test_a_manifest_is_no_link(backup, tmp_path, name):
    (backup / name).rename(tmp_path / "elsewhere")
    (backup / name).symlink_to(tmp_path / "elsewhere")

    assert "is a link" in refusal(backup)


@pytest.mark.parametrize(
    "path",
    ["media/../../escape.webp", "/etc/passwd", "media/x.sh", "database.dump", "other", f"../{FILE}",
     f"media/{FILE}/", f"media/{FILE}\n", FILE],
)  # fmt: skip
def test_even_a_signed_manifest_names_pictures_only(backup, path):
    signed_again(
        backup, lambda body: body["files"].update({path: {"size": 1, "sha256": "0" * 64}}), KEY
    )

    assert "is no backup that this release can read" in refusal(backup)


@pytest.mark.parametrize(
    "change",
    [{"format": 1}, {"format": None}, {"name": "shop"}, {"name": None}, {"made_at": 3},
     {"database": "mysql"}, {"database": []}, {"files": []}, {"files": {}},
     {"files": {"database.sqlite": {"size": -1, "sha256": "0" * 64}}},
     {"files": {"database.sqlite": {"size": 1.5, "sha256": "0" * 64}}},
     {"files": {"database.sqlite": {"size": True, "sha256": "0" * 64}}},
     {"files": {"database.sqlite": {"size": 1, "sha256": "x"}}},
     {"files": {"database.sqlite": {"size": 1, "sha256": "0" * 64},
                f"media/{FILE}": {"size": manifests.MAX_PICTURE_BYTES + 1, "sha256": "0" * 64}}}],
    ids=str,
)  # fmt: skip
def test_a_manifest_that_makes_no_sense_is_refused(backup, change):
    signed_again(backup, lambda body: body.update(change), KEY)

    assert "is no backup that this release can read" in refusal(backup)


@pytest.mark.parametrize("body", ["{", "[]", "3", "[" * 100_000], ids=["{", "[]", "3", "deep"])
def test_neither_is_one_that_is_no_object(backup, body):
    (backup / manifests.FILE).write_text(body)
    (backup / manifests.SIGNATURE).write_text(manifests.signature(body.encode(), KEY))

    assert "is no backup that this release can read" in refusal(backup)


def test_a_picture_is_restored_verified_and_readable_by_a_web_server(backup, tmp_path):
    manifest = manifests.read(backup, [KEY])

    first = staged_in(backup, tmp_path / "shop", manifest)
    second = staged_in(backup, tmp_path / "shop", manifest)

    assert (first, second) == ({FILE}, set())
    assert (tmp_path / "shop" / FILE).read_bytes() == b"a picture"
    assert (tmp_path / "shop" / FILE).stat().st_mode & 0o777 == 0o644
    assert [path.name for path in (tmp_path / "shop").iterdir()] == [FILE]


def test_a_picture_that_differs_or_is_a_link_is_replaced(backup, tmp_path):
    manifest, shop = manifests.read(backup, [KEY]), tmp_path / "shop"
    shop.mkdir()
    (tmp_path / "precious").write_text("of somebody else")
    (shop / FILE).symlink_to(tmp_path / "precious")

    staged_in(backup, shop, manifest)

    assert (shop / FILE).read_bytes() == b"a picture"
    assert not (shop / FILE).is_symlink()
    assert (tmp_path / "precious").read_text() == "of somebody else"


def make_link(path, secret):
    path.unlink()
    path.symlink_to(secret)


def make_pipe(path, _secret):
    path.unlink()
    os.mkfifo(path)


def make_linked_folder(path, _secret):
    path.parent.rename(path.parent.parent / "moved")
    path.parent.symlink_to(path.parent.parent / "moved")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (make_link, "is a link"),
        (make_pipe, "is no regular file"),
        (make_linked_folder, "is a link"),
        (lambda path, _: path.unlink(), "is missing"),
        (lambda path, _: path.write_bytes(b"a PICTURE"), "checksum"),
        (lambda path, _: path.write_bytes(b"a pictur"), "checksum"),
        (lambda path, _: path.write_bytes(b"a picture, and much more"), "longer than 9 bytes"),
    ],
)
def test_a_picture_that_was_changed_leaves_the_shop_as_it_was(backup, tmp_path, change, reason):
    manifest, shop = manifests.read(backup, [KEY]), tmp_path / "shop"
    (tmp_path / "secret").write_bytes(b"a picture")  # even with the very content
    change(backup / "media" / FILE, tmp_path / "secret")

    with pytest.raises(Failure, match=reason):
        staged_in(backup, shop, manifest)

    assert list(shop.iterdir()) == []


def test_what_is_verified_is_what_is_used(backup, tmp_path):
    """A picture that is changed after it was verified stays out."""
    manifest, shop = manifests.read(backup, [KEY]), tmp_path / "shop"

    with pictures.staged(backup, manifest.pictures, shop) as staged:
        (backup / "media" / FILE).write_bytes(b"a PICTURE")
        pictures.place(staged, shop)

    assert (shop / FILE).read_bytes() == b"a picture"


def test_a_disk_that_is_too_small_is_told_of_before_anything_is_copied(
    backup, tmp_path, monkeypatch
):
    manifest = manifests.read(backup, [KEY])
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(9, 1, 8))

    with pytest.raises(Failure, match="has 8 bytes free, and 9 are needed"):
        staged_in(backup, tmp_path / "shop", manifest)


def test_a_backup_holds_no_links_and_nothing_too_large(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", 10)
    shop, copied = tmp_path / "shop", {}
    shop.mkdir()
    (tmp_path / "backup").mkdir()
    (tmp_path / "secret").write_text("SECRET_KEY=")
    names = [f"{letter * 32}-320.webp" for letter in "abcd"]
    (shop / names[0]).write_bytes(b"a picture")
    (shop / names[1]).symlink_to(tmp_path / "secret")
    (shop / names[2]).write_bytes(b"more than ten bytes")
    os.mkfifo(shop / names[3])
    (shop / "notes.txt").write_text("no picture")

    pictures.dump(shop, tmp_path / "backup", copied)

    assert copied == {names[0]: facts(b"a picture")}
    assert [path.name for path in (tmp_path / "backup").iterdir()] == [names[0]]
    errors = capsys.readouterr().err
    assert all(f"left out: {name}" in errors for name in names[1:])


def test_production_wants_a_key_of_its_own():
    def refused(**settings):
        with pytest.raises(ConfigurationError) as error:
            load(PRODUCTION | settings).backup_keys()
        return str(error.value)

    assert load(PRODUCTION).problems() == []  # the servers start without one
    assert "is missing" in refused()
    assert "is missing" in refused(BACKUP_KEY="for-development-only-never-in-production")
    assert "shorter than 32 bytes" in refused(BACKUP_KEY="short")
    assert "differ" in refused(BACKUP_KEY=PRODUCTION["SECRET_KEY"])
    assert "shorter" in refused(BACKUP_KEY=KEY, BACKUP_KEY_PREVIOUS="short")
    assert "repeats" in refused(BACKUP_KEY="o" * 40)
    given = load(PRODUCTION | {"BACKUP_KEY": KEY, "BACKUP_KEY_PREVIOUS": KEY[::-1]})
    assert given.backup_keys() == [KEY, KEY[::-1]]


def test_a_manifest_is_bounded(backup, monkeypatch):
    monkeypatch.setattr(manifests, "MAX_BYTES", 50)

    assert "is longer than 50 bytes" in refusal(backup)


def test_the_manifest_lists_every_file(backup):
    body = json.loads((backup / manifests.FILE).read_text())

    assert body["files"] == {path: facts(data)._asdict() for path, data in CONTENTS.items()}
    with files.opened_folder(backup) as folder:
        assert files.digest_of("database.sqlite", folder) == facts(b"a database")

#!/usr/bin/env python3
"""Write the shop's database and pictures to a new folder, while it sells.

scripts/backup FOLDER [--keep N]

In FOLDER a `shop-<time>` appears, whole or not at all: the database as of one moment (pg_dump's custom
format, or a SQLite file), all pictures that it shows, and `backup.json`, which lists every file with
its checksum and is signed with BACKUP_KEY. Redis holds nothing that would be missed. Set PG_BIN to
the folder of pg_dump if it is not found by itself.
"""

import argparse
import contextlib
import fcntl
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

sys.path.insert(1, str(Path(__file__).resolve().parent.parent))

from backups import manifests, pictures, postgresql, sqlite
from backups.failure import Failure, reported
from backups.files import FileDigest, digest_of, opened_folder
from backups.manifests import Manifest
from backups.shop import NAMES, Shop, own_shop

from app.observability import task_status

PATTERN = "shop-[0-9]*Z"


def main() -> None:
    """Back up, tell where, and delete the oldest backups."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=int, metavar="N", help="delete all but the newest N backups")
    options = parser.parse_args()
    if options.keep is not None and options.keep < 1:
        parser.error("--keep wants 1 or more")
    os.umask(0o077)  # people's addresses are in it
    with reported("backup"):
        shop = own_shop()
        status = Path(shop.settings.STATUS_FOLDER)
        with task_status.recording(status, "backup") as run, _alone(options.folder):
            path, manifest = back_up(shop, options.folder)
            run.value = manifest.size
            megabytes, count = manifest.size / 1_000_000, len(manifest.pictures)
            print(f"backup: {path}: {megabytes:.1f} MB, {count} files of pictures.")
            _delete_old(options.folder, options.keep)


def back_up(shop: Shop, folder: Path) -> tuple[Path, Manifest]:
    """Write a backup into a folder; where it is, and what it holds.

    Raises:
        ConfigurationError: there is no key to sign it with; nothing is written then.
    """
    key = shop.settings.backup_keys()[0]
    now = datetime.now(timezone.utc)
    target = folder / f"shop-{now:%Y%m%dT%H%M%S.%fZ}"
    unfinished = folder / f".{target.name}"
    unfinished.mkdir(mode=0o700)
    try:
        manifest = _fill(shop, unfinished, target.name, now)
        manifests.write(unfinished, manifest, key)
        os.sync()
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target, manifest


def _fill(shop: Shop, folder: Path, name: str, now: datetime) -> Manifest:
    # Pictures before the database, since `flask purge` may remove some after it; and after it
    # those that came in between. Each has a name that says its content, so none changes.
    media, copied = folder / manifests.MEDIA, dict[str, FileDigest]()
    media.mkdir()
    pictures.dump(shop.media, media, copied)
    database = folder / NAMES[shop.kind]
    if shop.kind == "sqlite":
        sqlite.dump(shop.file, database)
    else:
        postgresql.dump(shop, database)
    pictures.dump(shop.media, media, copied)
    with opened_folder(folder) as descriptor:
        digest = digest_of(database.name, descriptor)
    return Manifest(name, now.isoformat(), shop.kind, digest, copied)


def _delete_old(folder: Path, keep: int | None) -> None:
    backups = [path for path in folder.glob(PATTERN) if not path.is_symlink()]
    for path in sorted(backups)[:-keep] if keep else ():
        shutil.rmtree(path)
        print(f"backup: {path}: deleted.")


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder, and delete what backups that were killed have left in it.

    Raises:
        Failure: another backup into this folder is going on.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with opened_folder(folder.resolve()) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another backup into {folder} is going on") from None
        for path in folder.glob(f".{PATTERN}"):
            shutil.rmtree(path, ignore_errors=True)
            print(f"backup: {path}: unfinished, deleted.", file=sys.stderr)
        yield


if __name__ == "__main__":
    main()

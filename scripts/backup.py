#!/usr/bin/env python3
"""Write the shop's database and pictures to a new folder, while it sells.

scripts/backup FOLDER [--keep N]

In FOLDER a `shop-<time>` appears, whole or not at all: the database as of one moment (pg_dump's custom
format, or a SQLite file), all pictures that it shows, and `backup.json` with a checksum. Redis holds
nothing that would be missed. Set PG_BIN to the folder of pg_dump if it is not found by itself.
"""

import argparse
import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from datetime import datetime, timezone
from pathlib import Path

from shop_files import NAMES, Failure, checksum, client, environment, reasons, settings, shop_url

PATTERN = "shop-[0-9]*Z"


def main() -> None:
    """Back up, tell where, and forget the oldest backups."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--keep", type=int, metavar="N", help="delete all but the newest N backups")
    options = parser.parse_args()
    if options.keep is not None and options.keep < 1:
        parser.error("--keep wants 1 or more")
    with reasons("backup"):
        made = back_up(options.folder)
        print(f"backup: {made}: {_told(made)}.")
        for old in sorted(options.folder.glob(PATTERN))[: -options.keep] if options.keep else ():
            shutil.rmtree(old)
            print(f"backup: {old}: deleted.")


def back_up(folder: Path) -> Path:
    """Make a backup in a folder; where it lies."""
    now = datetime.now(timezone.utc)
    target = folder / f"shop-{now:%Y%m%dT%H%M%S.%fZ}"
    unfinished = folder / f".{target.name}"
    folder.mkdir(parents=True, exist_ok=True)
    unfinished.mkdir(mode=0o700)  # there are people's addresses in it
    try:
        _fill(unfinished, now)
        os.sync()
        unfinished.rename(target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def _fill(folder: Path, now: datetime) -> None:
    url = shop_url()
    kind = url.get_backend_name()
    pictures = Path(settings().MEDIA_FOLDER)
    database = folder / NAMES[kind]
    # Pictures before the database, since `flask purge` may remove some after it; and after it
    # those that came in between. Each has a name that says its content, so none changes.
    (folder / "media").mkdir()
    _copy_pictures(pictures, folder / "media")
    if kind == "sqlite":
        _copy_sqlite(Path(str(url.database)), database)
    else:
        dump = [client("pg_dump"), "--format=custom", f"--file={database}", "--no-password"]
        subprocess.run(
            [*dump, f"--dbname={environment()['SHOP_DATABASE']}"], check=True, env=environment()
        )
    _copy_pictures(pictures, folder / "media")
    facts = {"made_at": now.isoformat(), "database": kind, "sha256": checksum(database)}
    (folder / "backup.json").write_text(json.dumps(facts, indent=2) + "\n")


def _copy_sqlite(source: Path, target: Path) -> None:
    """All in one step, which is one moment; in write-ahead mode nobody waits for it."""
    if not source.is_file():
        raise Failure(f"there is no database {source}")
    with (
        contextlib.closing(sqlite3.connect(source)) as shop,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        shop.backup(copy)
        if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise Failure("the copy of the database is damaged")
        copy.execute("PRAGMA journal_mode = DELETE")  # a single file


def _copy_pictures(source: Path, target: Path) -> None:
    for path in source.glob("*.webp"):
        with contextlib.suppress(FileNotFoundError):  # purged, so the database does not show it
            if not (target / path.name).exists():
                shutil.copy2(path, target)


def _told(folder: Path) -> str:
    files = [path for path in folder.rglob("*") if path.is_file()]
    pictures = len(list((folder / "media").iterdir()))
    megabytes = sum(path.stat().st_size for path in files) / 1_000_000
    return f"{megabytes:.1f} MB, {pictures} files of pictures"


if __name__ == "__main__":
    main()

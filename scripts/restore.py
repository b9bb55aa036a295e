#!/usr/bin/env python3
"""Put a backup in place of the shop's database and pictures, migrate it, and prove its books.

scripts/restore BACKUP [--yes]

BACKUP is a folder that scripts/backup has made. DATABASE_URL names where it goes: a database of the
same kind, which must not hold a shop already unless --yes says that it may be lost. It is put in place
whole or not at all. Stop the servers before, or restart them afterwards.
"""

import argparse
import contextlib
import json
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError
from shop_files import (
    NAMES,
    Failure,
    checksum,
    client,
    environment,
    reasons,
    rows_of,
    settings,
    shop_url,
)

PRECIOUS = ("orders", "products", "users")


def main() -> None:
    """Restore, and tell what was put in place."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("backup", type=Path)
    parser.add_argument("--yes", action="store_true", help="replace the shop that is there")
    options = parser.parse_args()
    with reasons("restore"):
        facts = _read(options.backup)
        has_tables = _refuse_shop(options.yes)
        _restore_database(options.backup, facts["database"], has_tables)
        copied = _restore_pictures(options.backup / "media")
        _finish()
    print(
        f"restore: {options.backup}: in place as of {facts['made_at']}, {copied} files of pictures."
    )


def _read(backup: Path) -> dict[str, Any]:
    """What the backup says of itself, if it is whole and fits."""
    try:
        facts: dict[str, Any] = json.loads((backup / "backup.json").read_text())
        facts["made_at"], facts["database"], facts["sha256"]
    except (FileNotFoundError, ValueError, LookupError, TypeError):
        raise Failure(f"{backup} is no backup") from None
    kind = shop_url().get_backend_name()
    if facts["database"] != kind:
        raise Failure(f"this is a backup of {facts['database']}, and DATABASE_URL names {kind}")
    if checksum(backup / NAMES[kind]) != facts["sha256"]:
        raise Failure("the backup is damaged: its checksum is another")
    return facts


def _refuse_shop(may_be_lost: bool) -> bool:
    """Whether there are tables; refuses where there is something in them."""
    found = rows_of(PRECIOUS)
    held = [f"{number} {name}" for name, number in found.items() if number]
    if held and not may_be_lost:
        raise Failure(f"the database holds {', '.join(held)}; --yes replaces them for good")
    return bool(found)


def _restore_database(backup: Path, kind: str, has_tables: bool) -> None:
    if kind == "sqlite":
        _fill_sqlite(backup / NAMES[kind], Path(str(shop_url().database)))
    else:
        _fill_postgresql(backup / NAMES[kind], has_tables)


def _fill_sqlite(source: Path, target: Path) -> None:
    """Written over in one transaction, so that who has it open sees the one shop or the other."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with (
        contextlib.closing(sqlite3.connect(source)) as copy,
        contextlib.closing(sqlite3.connect(target)) as shop,
    ):
        copy.backup(shop)


def _fill_postgresql(dump: Path, has_tables: bool) -> None:
    """In one transaction, which is committed only if the dump was read to its end."""
    psql = [client("psql"), "--no-psqlrc", "--quiet", "--no-password", "--set=ON_ERROR_STOP=1"]
    # Nor comments: the one on an extension is for whoever made that, which may be somebody else.
    without = ("--no-owner", "--no-privileges", "--no-comments")
    read = [client("pg_restore"), *without, "--file=-", str(dump)]
    writer = subprocess.Popen(
        [*psql, "--output=/dev/null", f"--dbname={environment()['SHOP_DATABASE']}"],
        stdin=subprocess.PIPE,
        env=environment(),
    )
    assert writer.stdin is not None  # noqa: S101 - for the type checker
    is_whole = False
    with contextlib.suppress(BrokenPipeError), writer.stdin as pipe:
        pipe.write(b"BEGIN;\nSET lock_timeout = '30s'; SET client_min_messages = warning;\n")
        if has_tables:
            pipe.write(b"DROP SCHEMA public CASCADE; CREATE SCHEMA public;\n")
        pipe.flush()
        is_whole = subprocess.run(read, stdout=pipe, check=False).returncode == 0
        if is_whole:
            pipe.write(b"COMMIT;\n")
    if writer.wait() != 0 or not is_whole:
        raise Failure("PostgreSQL refused; the database is as it was before")


def _restore_pictures(source: Path) -> int:
    """Add those that are missing; the others are the same, since their names say their content."""
    target = Path(settings().MEDIA_FOLDER)
    target.mkdir(parents=True, exist_ok=True)
    missing = [path for path in source.iterdir() if not (target / path.name).exists()]
    for path in missing:
        shutil.copy2(path, target)
    return len(missing)


def _finish() -> None:
    """Bring an older backup up to date, forget what the cache knew of another shop, and audit.

    One of a later release stays as it is: this one's servers serve on it, as they do after a
    migration.
    """
    from flask.cli import ScriptInfo
    from flask_migrate import upgrade

    from app import create_app
    from app.extensions import db
    from app.services import store_service

    app = create_app()
    with app.app_context():
        revision = store_service.schema_revision()
        db.session.close()
        if store_service.is_behind(revision, app.extensions["migrate"].directory):
            upgrade()
        _forget()
    if app.cli.main(["audit"], obj=ScriptInfo(create_app=lambda: app), standalone_mode=False):
        raise Failure("it is in place, and its books are not right: they were not when it was made")


def _forget() -> None:
    """Empty the cache. Where it is away, that is no reason to fail: entries live for seconds."""
    from app.extensions import cache

    try:
        cache.clear()
    except (RedisError, OSError) as error:
        why = type(error).__name__
        print(
            f"restore: the cache could not be emptied ({why}); wait half a minute.", file=sys.stderr
        )


if __name__ == "__main__":
    main()

"""A restore: everything is verified, then put in place, migrated and audited.

On SQLite the copy is migrated before it is put in place, so a server never sees an old schema. On
PostgreSQL migrations are transactions of their own, so a dump of an older release is refused while
anybody else is connected.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from flask import Flask
from redis.exceptions import RedisError

from backups import pictures, postgresql, sqlite
from backups.failure import Failure
from backups.files import copy_verified, opened_folder
from backups.manifests import Manifest
from backups.shop import NAMES, Shop, other_shop

PRECIOUS = ("orders", "products", "users")
# Tried alone, a backup must reach neither the shop's cache nor its replica.
BY_ITSELF = {
    "REDIS_URL": "", "RATELIMIT_STORAGE_URL": "memory://", "DATABASE_REPLICA_URL": "",
    "DATABASE_POOLER": "false", "ALLOW_SQLITE": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": "",
}  # fmt: skip


def restore(backup: Path, manifest: Manifest, shop: Shop, may_replace: bool) -> int:
    """Put a backup in place of a shop; how many files of pictures were missing there.

    Raises:
        Failure
    """
    if manifest.kind != shop.kind:
        raise Failure(f"this is a backup of {manifest.kind}, and DATABASE_URL names {shop.kind}")
    refuse_shop(shop, may_replace)
    with pictures.staged(backup, manifest.pictures, shop.media) as staged:
        put = _put_sqlite if shop.kind == "sqlite" else _put_postgresql
        return put(backup, manifest, shop, lambda: _place(staged, shop))


def refuse_shop(shop: Shop, may_replace: bool) -> None:
    """Raises: Failure where there is something in the tables, unless it may be replaced."""
    rows = shop.rows_of(PRECIOUS)
    contents = [f"{number} {name}" for name, number in rows.items() if number]
    if contents and not may_replace:
        raise Failure(f"the database holds {', '.join(contents)}; --yes replaces them for good")


def audit(app: Flask) -> bool:
    """Print what the audit says; whether the books are right."""
    from flask.cli import ScriptInfo

    info = ScriptInfo(create_app=lambda: app)
    return not app.cli.main(["audit"], obj=info, standalone_mode=False)


def migrate(app: Flask) -> None:
    """Bring a database of an older release up to date; one of a later release stays as it is:
    this release's servers serve on it, as they do after a migration."""
    from flask_migrate import upgrade

    from app.extensions import db

    with app.app_context():
        if is_behind(app):
            upgrade()
        db.engine.dispose()


def is_behind(app: Flask) -> bool:
    """Whether the database lacks migrations of this release."""
    from app.extensions import db
    from app.services.operations import store_service

    with app.app_context():
        revision = store_service.schema_revision()
        db.session.close()
        return store_service.is_behind(revision, app.extensions["migrate"].directory)


def record(app: Flask, backup: str) -> None:
    """Record the restore in the security log, which is otherwise as old as the backup.

    There is no client's address: the command was run on a machine of the operator's.
    """
    from app.db.unit_of_work import in_transaction
    from app.domain.people.actor import SYSTEM
    from app.extensions import db
    from app.services.audit import security_log

    with app.app_context():
        in_transaction(lambda: security_log.record_of(SYSTEM, security_log.RESTORED, backup))
        db.session.remove()
        db.engine.dispose()


def application(shop: Shop) -> Flask:
    """The shop's application, to migrate and to audit a database."""
    from app import create_app

    return create_app(shop.settings, strict=False)


def _place(staged: dict[str, Path], shop: Shop) -> int:
    pictures.place(staged, shop.media)
    return len(staged)


def _put_sqlite(backup: Path, manifest: Manifest, shop: Shop, place: Callable[[], int]) -> int:
    shop.file.parent.mkdir(parents=True, exist_ok=True)
    pictures.refuse_full(shop.file.parent, 3 * manifest.database.size)  # copy, log and database
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=shop.file.parent) as private:
        copy = Path(private) / NAMES["sqlite"]
        _copy_database(backup, manifest, copy)
        is_right = _prepare(copy, manifest.name)
        count = place()
        sqlite.replace(copy, shop.file)
    _empty_cache(shop)
    _refuse_wrong(is_right)
    return count


def _put_postgresql(backup: Path, manifest: Manifest, shop: Shop, place: Callable[[], int]) -> int:
    owner = other_shop(
        DATABASE_URL=shop.url.render_as_string(hide_password=False),
        DATABASE_POOLER="false",
        DATABASE_REPLICA_URL="",
    )
    app = application(owner)
    with tempfile.TemporaryDirectory(prefix="shopswift-restore-") as private:
        pictures.refuse_full(Path(private), manifest.database.size)
        copy = Path(private) / NAMES["postgresql"]
        _copy_database(backup, manifest, copy)
        count = place()
        postgresql.replace(shop.url, copy, lambda *state: _refuse_behind(app, *state), shop.role)
    migrate(app)
    postgresql.grant(shop.url, shop.role)
    record(app, manifest.name)
    _empty_cache(shop)
    _refuse_wrong(audit(app))
    return count


def _refuse_behind(app: Flask, revision: str | None, other_sessions: int) -> None:
    """Raises: Failure where a server would meet an old schema until it is migrated."""
    from app.services.operations import store_service

    has_to_be_migrated = store_service.is_behind(revision, app.extensions["migrate"].directory)
    if has_to_be_migrated and other_sessions:
        raise Failure(
            "this backup is of an older release and has to be migrated, and"
            f" {other_sessions} other sessions are connected to the database: stop the servers,"
            " then try again; the database is as it was before"
        )


def _copy_database(backup: Path, manifest: Manifest, target: Path) -> None:
    with opened_folder(backup.resolve()) as folder:
        copy_verified(NAMES[manifest.kind], folder, target, manifest.database)


def _prepare(copy: Path, backup: str) -> bool:
    """Migrate and audit a SQLite database before anybody sees it; whether its books are right."""
    scratch = other_shop(
        **BY_ITSELF, DATABASE_URL=f"sqlite:///{copy}", STATUS_FOLDER=str(copy.parent / "status")
    )
    app = application(scratch)
    migrate(app)
    record(app, backup)
    return audit(app)


def _refuse_wrong(is_right: bool) -> None:
    if not is_right:
        raise Failure("it is in place, and its books are not right: they were not when it was made")


def _empty_cache(shop: Shop) -> None:
    """Empty the cache. Where it is away, that is no reason to fail: entries live for seconds."""
    from app.extensions import cache

    with application(shop).app_context():
        try:
            cache.clear()
        except (RedisError, OSError) as error:
            why = type(error).__name__
            print(
                f"restore: the cache could not be emptied ({why}); wait half a minute.",
                file=sys.stderr,
            )

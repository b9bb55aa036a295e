"""Checks of an installation. Each check ends in a finding, even if the database cannot be reached."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.db import database_roles, replica, sqlite
from app.extensions import db
from app.services.accounts import second_factors
from app.services.cache import shared_cache
from app.services.messages import webhook_endpoints
from app.services.operations import lookup_words, store_service

Status = Literal["ok", "warning", "failed"]


BEHIND_A_POOLER = {
    "lock_timeout": ("5000",),
    "statement_timeout": ("20000",),
    "TimeZone": ("UTC", "Etc/UTC"),
}
"""The settings that deploy/pgbouncer.ini asks for, as PostgreSQL reports them (milliseconds)."""


@dataclass(frozen=True)
class Finding:
    """The result of a check; `detail` holds no secrets."""

    name: str
    status: Status
    detail: str


def examine(
    config: Mapping[str, Any], problems: list[str], warnings: list[str], migrations: Path
) -> Iterator[Finding]:
    """Run all checks, one after the other.

    Without a database, or without tables in it, the checks that need them are left out.
    """
    yield Finding("environment", "ok", config["NAME"])
    old_keys = config["SECRET_KEY_FALLBACKS"] or config["JWT_SECRET_KEY_PREVIOUS"]
    yield from _settings(problems, warnings, bool(old_keys))
    database = _database(config["SQLALCHEMY_DATABASE_URI"])
    yield database
    yield from _files()
    if database.status == "ok":
        schema = _guarded("migrations", lambda: _migrations(migrations))
        yield schema
        if _has_tables():
            if schema.status != "failed":  # an older schema lacks columns
                yield _guarded("settings", _store_settings)
            yield _guarded("currency", lambda: _currency(config["STORE_CURRENCY"]))
            yield _guarded("admin", _admin)
            yield _guarded("search keys", _search_keys)
            yield _guarded("encryption", _encryption)
        if config["DATABASE_POOLER"]:
            yield _guarded("pooler", _pooler)
        if not config["SQLALCHEMY_DATABASE_URI"].startswith("sqlite"):
            yield _guarded("role", lambda: _role(config["NAME"]))
    yield from _replica(config["SQLALCHEMY_BINDS"])
    yield _cache(config["REDIS_URL"])


def public_url(url: str) -> str:
    """A URL without user, password and options."""
    parts = urlsplit(url)
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"


def _settings(problems: list[str], warnings: list[str], old_keys: bool) -> Iterator[Finding]:
    secret = [
        line for line in (*problems, *warnings) if line.startswith(("SECRET", "JWT_", "METRICS_"))
    ]
    others = [line for line in problems if line not in secret]
    yield Finding(
        "configuration", "failed" if others else "ok", "; ".join(others) or "as it should be"
    )
    status: Status = "ok" if not secret else "warning"
    if any(line in problems for line in secret):
        status = "failed"
    strong = "strong enough; further keys are believed" if old_keys else "strong enough"
    yield Finding("secrets", status, "; ".join(secret) or strong)


def _database(url: str) -> Finding:
    try:
        sqlite = db.engine.dialect.name == "sqlite"
        query = "SELECT 'SQLite ' || sqlite_version()" if sqlite else "SHOW server_version"
        version = db.session.scalar(text(query))
    except SQLAlchemyError as error:
        db.session.close()
        return Finding("database", "failed", f"{public_url(url)}: {_reason(error)}")
    name = version if sqlite else f"PostgreSQL {version}"
    return Finding("database", "ok", f"{name} at {public_url(url)}")


def _has_tables() -> bool:
    try:
        return store_service.has_tables()
    except SQLAlchemyError:
        db.session.close()
        return False


def _files() -> Iterator[Finding]:
    """On SQLite: whether other users of this machine can read or replace the database."""
    file = sqlite.file_of(db.engine)
    if file is not None and (paths := sqlite.exposed_paths(file)):
        detail = f"others may get at {', '.join(map(str, paths))}: chmod go= and chown"
        yield Finding("files", "warning", detail)


def _migrations(folder: Path) -> Finding:
    revision = store_service.schema_revision()
    newest = store_service.newest_revision(str(folder))
    if revision == newest:
        return Finding("migrations", "ok", f"at {revision}, the newest")
    if not store_service.is_behind(revision, str(folder)):
        return Finding("migrations", "warning", f"at {revision}, of a later release than this one")
    return Finding(
        "migrations", "failed", f"at {revision or 'none'}, the newest is {newest}: flask db upgrade"
    )


def _currency(setting: str) -> Finding:
    recorded = store_service.recorded_currency()
    if recorded in (None, setting):
        return Finding("currency", "ok", setting if recorded else f"{setting}, not recorded yet")
    return Finding(
        "currency", "failed", f"STORE_CURRENCY is {setting}, but prices here are in {recorded}"
    )


def _store_settings() -> Finding:
    """The settings in force, and what mail and invoices lack."""
    settings = store_service.settings()
    origin = "set by staff" if store_service.has_own_name() else "of STORE_NAME"
    methods = ", ".join(method.id for method in settings.payment_methods)
    detail = f"{settings.name} ({origin}), {settings.locale}, paid by {methods}"
    if settings.missing:
        missing = ", ".join(settings.missing)
        detail += f"; /admin/settings lacks {missing}, which mail and invoices need"
    return Finding("settings", "ok", detail)


def _admin() -> Finding:
    query = text("SELECT COUNT(*) FROM users WHERE role = 'admin' AND is_active")
    count = db.session.scalar(query)
    if count:
        return Finding("admin", "ok", f"{count} active")
    return Finding("admin", "warning", "nobody runs the shop yet: flask create-admin")


def _search_keys() -> Finding:
    outdated = [name for name, keys in lookup_words.KINDS.items() if keys.count_outdated(limit=1)]
    if not outdated:
        return Finding("search keys", "ok", "of this release")
    rows = ", ".join(outdated)
    detail = f"some {rows} are searched by words of another release: flask renew-search-keys"
    return Finding("search keys", "warning", detail)


def _encryption() -> Finding:
    """Whether secrets still need a key of SECRET_KEY_FALLBACKS."""
    count = second_factors.count_outdated_keys() + webhook_endpoints.count_outdated_keys()
    if not count:
        return Finding("encryption", "ok", "by the present SECRET_KEY")
    detail = f"{count} stored secrets need an earlier SECRET_KEY: flask renew-encryption"
    return Finding("encryption", "warning", detail)


def _pooler() -> Finding:
    """Behind a pooler, the database must set what the shop otherwise sets on each connection."""
    rows = db.session.execute(text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names)"),
                              {"names": list(BEHIND_A_POOLER)})  # fmt: skip
    missing = [name for name, value in rows.all() if value not in BEHIND_A_POOLER[name]]
    if not missing:
        return Finding("pooler", "ok", "timeouts and time zone are the database's")
    detail = f"ALTER DATABASE ... SET is missing for {', '.join(sorted(missing))}"
    return Finding("pooler", "warning", detail)


def _role(environment: str) -> Finding:
    """In production, the shop's role must not be able to change the schema or the append-only tables."""
    powers = database_roles.powers(db.session.connection())
    excess = [
        words
        for words, applies in (
            ("is a superuser", powers.is_superuser),
            ("may create roles or databases, or replicate", powers.has_attributes),
            ("owns the tables: set DATABASE_OWNER_URL", powers.is_owner),
        )
        if applies
    ]
    if not excess:
        return Finding("role", "ok", "reads and writes rows, and owns nothing")
    status: Status = "warning" if environment == "production" else "ok"
    return Finding("role", status, f"the role of DATABASE_URL {excess[0]}")


def _replica(binds: Mapping[str, Mapping[str, object]]) -> Iterator[Finding]:
    state = replica.state()
    if state is not None:
        status: Status = "ok" if state == "ok" else "warning"  # the primary serves its reads
        yield Finding("replica", status, f"{public_url(str(binds['replica']['url']))}: {state}")


def _cache(redis_url: str) -> Finding:
    state = shared_cache.state()
    if not redis_url:
        return Finding("cache", "ok", "in process: with several processes, set REDIS_URL")
    status: Status = "ok" if state == "ok" else "failed"
    return Finding("cache", status, f"{public_url(redis_url)}: {state}")


def _guarded(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except SQLAlchemyError as error:
        db.session.close()
        return Finding(name, "failed", _reason(error))


def _reason(error: SQLAlchemyError) -> str:
    """The first line of the driver's message, which holds no password."""
    return str(getattr(error, "orig", error)).strip().partition("\n")[0]

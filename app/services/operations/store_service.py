"""The settings of the shop, its one currency, and the migration of its database.

What the environment sets (STORE_NAME) holds until staff set it; the locale, the currency and the ways to
pay are the environment's alone.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text, update

from app.db.prepared import prepared, run
from app.domain.store_settings import StoreAddress, StoreSettings
from app.extensions import db, extension
from app.models import Store

DEFAULTS = "store_defaults"
"""The extension that holds the settings of a shop in which staff have set nothing."""
SETTINGS = (
    "name", "legal_name", "email", "address", "country", "vat_id", "prices_include_tax",
    "hold_minutes", "prepayment_days", "return_days", "invoice_days", "version",
)  # fmt: skip


def settings() -> StoreSettings:
    """The settings as the database has them now, in one statement."""
    row = run(_READ).one_or_none()
    return _with_defaults(dict(row._mapping) if row else {})


def record_currency(currency: str) -> str:
    """Record the currency unless one is recorded already; returns the recorded one."""
    recorded = recorded_currency()
    if recorded is None:
        # Of two processes that start at once, one fails on the primary key, and its transaction is retried.
        db.session.add(Store(id=1, currency=currency))
        db.session.flush()
    return recorded or currency


def recorded_currency() -> str | None:
    """The currency of the prices in this database; None until one is recorded."""
    # One column: the release before has tables without some of the others.
    return db.session.scalar(select(Store.currency).where(Store.id == 1))


def record_low_stock(units: int) -> None:
    """Record the number of available units from which on a variant's stock is low."""
    db.session.execute(update(Store).where(Store.id == 1).values(low_stock=units))


def recorded_low_stock() -> int | None:
    """The recorded number; None in a database without tables, or without the shop's row."""
    if not has_tables():
        return None
    return db.session.scalar(select(Store.low_stock).where(Store.id == 1))


def has_tables() -> bool:
    """Whether the database has the shop's tables."""
    return inspect(db.session.connection()).has_table(Store.__tablename__)


def schema_revision() -> str | None:
    """The migration of the database; None if none has run.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    if not inspect(db.session.connection()).has_table("alembic_version"):
        return None
    revision: str | None = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


@cache
def newest_revision(folder: str) -> str | None:
    """The newest migration in `folder`."""
    return ScriptDirectory(folder).get_current_head()


def is_behind(revision: str | None, folder: str) -> bool:
    """Whether a database at this migration lacks migrations in `folder`.

    A migration that is not in `folder` belongs to a later release. During a deployment, servers of both
    releases share one schema, so this is not behind.
    """
    return revision is None or revision in _earlier_revisions(folder)


@cache
def _earlier_revisions(folder: str) -> frozenset[str]:
    scripts = ScriptDirectory(folder)
    revisions = {script.revision for script in scripts.walk_revisions()}
    return frozenset(revisions - set(scripts.get_heads()))


_READ = prepared(select(*(getattr(Store, name) for name in SETTINGS)).where(Store.id == 1))


def _with_defaults(values: Mapping[str, Any]) -> StoreSettings:
    stored = {name: value for name, value in values.items() if value is not None}
    if "address" in stored:
        stored["address"] = StoreAddress(**stored["address"])
    defaults: StoreSettings = extension(DEFAULTS)
    return replace(defaults, **stored)

"""The settings of the shop, its one currency, and the migration of its database.

What the environment sets (STORE_NAME) holds until staff set it; the locale, the currency and the ways to
pay are the environment's alone.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any, TypedDict

import orjson
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text, update

from app.db.prepared import prepared, run
from app.domain.changes import Changes, differences
from app.domain.conditions import UNCONDITIONAL, Precondition
from app.domain.people.actor import Actor
from app.domain.store_settings import StoreAddress, StoreDetails, StoreSettings
from app.errors import Invalid
from app.extensions import db, extension
from app.models import Store
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.cache.catalogue_cache import Answer

EDITABLE = (
    "name", "legal_name", "email", "address", "country", "vat_id", "prices_include_tax",
    "hold_minutes", "prepayment_days", "return_days", "invoice_days",
)  # fmt: skip
PERSONAL = ("legal_name", "email", "address", "vat_id")
"""Settings that name a person where the seller is one. The audit trail does not hold their values."""
SETUP_PAUSE = timedelta(days=30)


class SettingsInput(TypedDict, total=False):
    """What staff may set. A missing key leaves the setting as it is, None removes it."""

    name: str
    legal_name: str | None
    email: str | None
    address: dict[str, str] | None
    country: str | None
    vat_id: str | None
    prices_include_tax: bool
    hold_minutes: int
    prepayment_days: int
    return_days: int
    invoice_days: int


@dataclass
class ProcessSettings:
    """What a process knows of the settings; `create_app` puts it into `app.extensions["store"]`."""

    defaults: StoreSettings
    """The settings of a shop in which staff have set nothing."""
    details: StoreDetails
    """What was last read."""


def settings() -> StoreSettings:
    """The settings as the database has them now, in one statement."""
    row = run(_READ).one_or_none()
    return _with_defaults(dict(row._mapping) if row else {})


def has_own_name() -> bool:
    """Whether staff have set the shop's name, so that STORE_NAME has no effect."""
    return db.session.scalar(select(Store.name)) is not None


def details() -> StoreDetails:
    """What pages show of the shop. A change by another process shows in less than a second, as in lists."""
    answer = catalogue_cache.cached_list("settings", (), _read_details)
    return StoreDetails(**orjson.loads(answer.body))


def known_details() -> StoreDetails:
    """What this process has last read of it, without asking the database."""
    return _process().details


def update_settings(
    actor: Actor, changes: SettingsInput, precondition: Precondition = UNCONDITIONAL
) -> StoreSettings:
    """Change the settings that are given.

    An address may repeat the shop's country, and sets it if the shop has none.

    Raises:
        PreconditionFailed: the settings are at another version than the precondition allows.
        Invalid: an address in another country than the shop's.
    """
    store = _lock()
    refusal = precondition.refusal(store)
    before = _editable(store)
    for name, value in _with_country(changes, store.country).items():
        setattr(store, name, value)
    if refusal:
        raise refusal
    difference = differences(before, _editable(store))
    if difference:
        store.version += 1
        db.session.flush()
        trail.record_many(actor, "settings.edited", {None: _without_personal(difference)})
        catalogue_cache.invalidate_catalogue()
    return settings()


def postpone_setup(now: datetime) -> None:
    """Do not ask staff for what is missing for SETUP_PAUSE."""
    _lock().setup_postponed_until = now + SETUP_PAUSE
    db.session.flush()


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


_READ = prepared(
    select(
        *(getattr(Store, name) for name in (*EDITABLE, "setup_postponed_until", "version"))
    ).where(Store.id == 1)
)


def _read_details() -> Answer:
    process = _process()
    process.details = settings().details
    return Answer(orjson.dumps(process.details._asdict()), "")


def _process() -> ProcessSettings:
    process: ProcessSettings = extension("store")
    return process


def _with_defaults(values: Mapping[str, Any]) -> StoreSettings:
    stored = {name: value for name, value in values.items() if value is not None}
    if "address" in stored:
        stored["address"] = StoreAddress(**stored["address"])
    return replace(_process().defaults, **stored)


def _lock() -> Store:
    query = select(Store).with_for_update().execution_options(populate_existing=True)
    store: Store | None = db.session.scalar(query)
    if store is None:
        record_currency(_process().defaults.currency)
    return store or db.session.get_one(Store, 1)


def _editable(store: Store) -> dict[str, Any]:
    return {name: getattr(store, name) for name in EDITABLE}


def _with_country(changes: SettingsInput, country: str | None) -> dict[str, Any]:
    """The values to store; the address without its country, which is the shop's."""
    values: dict[str, Any] = dict(changes)
    if values.get("address") is None:
        return values
    lines = dict(values["address"])
    own_country = lines.pop("country", None)
    values["address"] = asdict(StoreAddress(**lines))
    country = values.get("country", country)
    if own_country and country is None:
        values["country"] = own_country
    elif own_country not in (None, country):
        raise Invalid({"address.country": [f"The shop's country is {country}."]})
    return values


def _without_personal(changes: Changes) -> Changes:
    return {name: _presence(*pair) if name in PERSONAL else pair for name, pair in changes.items()}


def _presence(before: object, after: object) -> list[Any]:
    """What the trail says of a change whose values it does not hold."""
    return [before and "set", after and ("changed" if before else "set")]

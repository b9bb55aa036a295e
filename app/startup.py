"""Checks before the shop starts."""

import logging
from contextlib import suppress
from functools import partial
from pathlib import Path

from flask import Flask, request
from sqlalchemy.exc import SQLAlchemyError

from app.config import ConfigurationError
from app.db import sqlite
from app.db.unit_of_work import in_transaction
from app.errors import Unavailable
from app.extensions import db
from app.services.operations import schema_service, store_service

log = logging.getLogger(__name__)


def make_database_folder(app: Flask) -> None:
    """Create the folder of a SQLite database, and keep other users out of folder and file.

    Raises:
        ConfigurationError: the folder cannot be created.
    """
    try:
        with app.app_context():
            sqlite.prepare_folder(db.engine, Path(app.instance_path))
    except OSError as error:
        raise ConfigurationError(
            f"DATABASE_URL names a file in a folder that cannot be made: {error.strerror}."
        ) from None


def refuse_old_schema(app: Flask) -> None:
    """In production, refuse to start on a schema that lacks migrations of this release: nginx would
    send requests to the server, and each of them would fail.

    gunicorn.conf.py calls this, not `create_app`: `flask db upgrade` needs the app, too. A server
    starts without its database; readiness reports that.

    Raises:
        ConfigurationError: the schema is empty or behind.
    """
    if app.config.get("NAME") != "production":
        return
    with app.app_context():
        try:
            state = schema_service.state(str(app.extensions["migrate"].directory))
        except SQLAlchemyError:
            return
        finally:
            db.session.remove()
            db.engine.dispose()  # no connection is carried over a fork
    if state in ("empty", "behind"):
        raise ConfigurationError(
            f"the database's schema is {state}: run `flask db upgrade` with this release first."
        )


def refuse_other_currency(app: Flask) -> None:
    """Refuse to start with another currency than that of the prices in the database.

    Where the database is away or not migrated yet, the shop starts, and checks the currency at each
    request until it can be read.

    Raises:
        ConfigurationError: STORE_CURRENCY is not the recorded one.
    """
    with app.app_context():
        try:
            recorded = _recorded_or_record(app.config["STORE_CURRENCY"])
        except SQLAlchemyError:
            recorded = None
            log.warning("The database does not answer yet.")
        finally:
            db.session.remove()
            db.engine.dispose()  # no connection is carried over a fork
    if recorded is None:
        app.before_request(partial(_check_request, app))
    else:
        _refuse_other(recorded, app)


def record_low_stock(app: Flask) -> None:
    """Record STORE_LOW_STOCK in the database, where the triggers of events read it.

    Where the database is away or not migrated yet, the next start records it.
    """
    with app.app_context():
        try:
            if store_service.recorded_low_stock() not in (None, app.config["STORE_LOW_STOCK"]):
                units = app.config["STORE_LOW_STOCK"]
                in_transaction(lambda: store_service.record_low_stock(units))
        except SQLAlchemyError:
            log.warning("STORE_LOW_STOCK cannot be recorded yet.")
        finally:
            db.session.remove()
            db.engine.dispose()  # no connection is carried over a fork


def _check_request(app: Flask) -> None:
    """Check the currency that could not be read at the start, once it can be.

    Raises:
        Unavailable: STORE_CURRENCY is not the recorded one.
    """
    if request.endpoint in ("health.live", "metrics.report"):
        return
    if app.extensions.get("recorded_currency") is None:
        # A request that needs the database reports that it is away.
        with suppress(SQLAlchemyError):
            currency = _recorded_or_record(app.config["STORE_CURRENCY"])
            app.extensions["recorded_currency"] = currency
        db.session.close()
    try:
        _refuse_other(app.extensions.get("recorded_currency"), app)
    except ConfigurationError as error:
        log.critical("%s", error)
        raise Unavailable() from None


def _refuse_other(recorded: str | None, app: Flask) -> None:
    currency = app.config["STORE_CURRENCY"]
    if recorded not in (None, currency):
        raise ConfigurationError(
            f"STORE_CURRENCY is {currency}, but this database's prices are in {recorded}."
        )


def _recorded_or_record(currency: str) -> str | None:
    """The recorded currency; this one is recorded if none is. None in a database without tables."""
    if not store_service.has_tables():
        return None
    # Read first: only the first start has to wait for a lock on writing.
    return store_service.recorded_currency() or in_transaction(
        lambda: store_service.record_currency(currency)
    )

"""What is checked before the shop opens."""

import logging
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
    """SQLite makes its file by itself, but not the folder around it; both are this user's alone.

    Raises:
        ConfigurationError: the folder cannot be made.
    """
    try:
        with app.app_context():
            sqlite.prepare_folder(db.engine, Path(app.instance_path))
    except OSError as error:
        raise ConfigurationError(
            f"DATABASE_URL names a file in a folder that cannot be made: {error.strerror}."
        ) from None


def refuse_old_schema(app: Flask) -> None:
    """In production, servers do not start on a schema that lacks migrations of their release: nginx
    would send them shoppers, and each page would fail.

    Called by gunicorn.conf.py, not by `create_app`: `flask db upgrade` needs the app as well. A
    database that does not answer is no reason not to start; readiness reports it.

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
    """Prices in the database are of one currency: starting with another would relabel them all.

    A database that is away or not migrated yet is no reason not to start: readiness reports it,
    and requests are checked until the currency is known.

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
        app.before_request(partial(_refuse_until_known, app, []))
    else:
        _refuse_other(recorded, app)


def _refuse_until_known(app: Flask, known: list[str]) -> None:
    """What could not be checked at the start is checked before a request, until it can be.

    Raises:
        Unavailable: STORE_CURRENCY is not the recorded one.
    """
    if request.endpoint in ("health.live", "metrics.report"):
        return
    if not known:
        known.extend(_ask_again(app.config["STORE_CURRENCY"]))
    try:
        _refuse_other(known[0] if known else None, app)
    except ConfigurationError as error:
        log.critical("%s", error)
        raise Unavailable() from None


def _ask_again(wanted: str) -> list[str]:
    try:
        recorded = _recorded_or_record(wanted)
    except SQLAlchemyError:  # whoever needs the database is told that it is away
        recorded = None
    db.session.close()
    return [recorded] if recorded else []


def _refuse_other(recorded: str | None, app: Flask) -> None:
    wanted = app.config["STORE_CURRENCY"]
    if recorded not in (None, wanted):
        raise ConfigurationError(
            f"STORE_CURRENCY is {wanted}, but this database's prices are in {recorded}."
        )


def _recorded_or_record(wanted: str) -> str | None:
    if not store_service.has_tables():
        return None
    # Asked first: who starts again need not wait until it may write.
    return store_service.recorded_currency() or in_transaction(
        lambda: store_service.record_currency(wanted)
    )

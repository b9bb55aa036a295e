"""What is checked before the shop opens."""

import logging

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app import sqlite
from app.config import ConfigurationError
from app.extensions import db
from app.services import store_service
from app.unit_of_work import in_transaction

log = logging.getLogger(__name__)


def make_database_folder(app: Flask) -> None:
    """SQLite makes its file by itself, but not the folder around it.

    Raises:
        ConfigurationError: the folder cannot be made.
    """
    try:
        with app.app_context():
            sqlite.make_folder(db.engine)
    except OSError as error:
        raise ConfigurationError(
            f"DATABASE_URL names a file in a folder that cannot be made: {error.strerror}."
        ) from None


def refuse_other_currency(app: Flask) -> None:
    """Prices in the database are of one currency: starting with another would relabel them all.

    A database that is away or not migrated yet is no reason not to start: readiness reports it.

    Raises:
        ConfigurationError: STORE_CURRENCY is not the recorded one.
    """
    wanted = app.config["STORE_CURRENCY"]
    with app.app_context():
        try:
            recorded = _recorded_or_record(wanted)
        except SQLAlchemyError:
            log.warning("The database does not answer yet.")
            return
        finally:
            db.session.remove()
            db.engine.dispose()  # no connection is carried over a fork
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

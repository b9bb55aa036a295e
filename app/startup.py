"""What is checked before the shop opens."""

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from app.config import ConfigurationError
from app.extensions import db
from app.services import store_service
from app.unit_of_work import in_transaction


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
    return store_service.recorded_currency() or in_transaction(
        lambda: store_service.record_currency(wanted)
    )

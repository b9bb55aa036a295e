"""The shop's name and address on pages."""

from flask import g
from sqlalchemy.exc import SQLAlchemyError

from app.domain.store_settings import StoreDetails
from app.services.operations import store_service


def store() -> StoreDetails:
    """The shop's name and address, the same in all parts of a page.

    Where the database does not answer, they are what this process has read last.
    """
    if "store" not in g:
        g.store = _read()
    details: StoreDetails = g.store
    return details


def _read() -> StoreDetails:
    if g.get("database_is_away"):  # an error page must not wait for it once more
        return store_service.known_details()
    try:
        return store_service.details()
    except SQLAlchemyError:
        return store_service.known_details()

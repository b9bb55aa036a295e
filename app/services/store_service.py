"""Facts about the shop itself: its one currency, and whether its database is ready."""

from sqlalchemy import inspect, text
from sqlalchemy.dialects import postgresql, sqlite

from app.extensions import db
from app.models import Store


def record_currency(currency: str) -> str:
    """Write the currency down if none is yet, and return the one that is recorded."""
    dialect = db.engine.dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(Store).values(id=1, currency=currency).on_conflict_do_nothing()
    db.session.execute(statement)
    return recorded_currency() or currency


def recorded_currency() -> str | None:
    """The currency that this database's prices are in, once there is one."""
    store = db.session.get(Store, 1)
    return store.currency if store else None


def has_tables() -> bool:
    """Whether the schema is there at all."""
    return inspect(db.session.connection()).has_table(Store.__tablename__)


def schema_revision() -> str | None:
    """The migration that the database stands at; None where none has run.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    if not inspect(db.session.connection()).has_table("alembic_version"):
        return None
    revision: str | None = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    return revision

"""Facts about the shop itself: its one currency, and whether its database is ready."""

from functools import cache

from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from app.extensions import db
from app.models import Store


def record_currency(currency: str) -> str:
    """Write the currency down if none is yet, and return the one that is recorded."""
    recorded = recorded_currency()
    if recorded is None:
        # Two who start at once meet at the primary key: the later one is run afresh.
        db.session.add(Store(id=1, currency=currency))
        db.session.flush()
    return recorded or currency


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


@cache
def newest_revision(folder: str) -> str | None:
    """The newest migration that this program brings along, in `folder`."""
    return ScriptDirectory(folder).get_current_head()


def is_behind(revision: str | None, folder: str) -> bool:
    """Whether a database that stands there lacks migrations of this program.

    One that this program does not know is of a later release: its servers and ours live on one
    schema for a while, so ours serve on.
    """
    return revision is None or revision in _earlier_revisions(folder)


@cache
def _earlier_revisions(folder: str) -> frozenset[str]:
    scripts = ScriptDirectory(folder)
    known = {script.revision for script in scripts.walk_revisions()}
    return frozenset(known - set(scripts.get_heads()))

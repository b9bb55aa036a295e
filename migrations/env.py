"""Alembic's environment: runs the migrations on the app's database."""

from alembic import context
from sqlalchemy import Connection

from app.extensions import db
from app.models import Base

# What each database needs for search is its own business: app/services/product_search.py.
NOT_MODELLED = ("products_fts", "ix_products_search", "search_vector")


def include_name(name: str | None, _kind: str, _parents: object) -> bool:
    """Whether Alembic compares this name with the models."""
    return not (name or "").startswith(NOT_MODELLED)


def run(connection: Connection) -> None:
    """Run the migrations; on SQLite with foreign keys off, and checked before the commit.

    SQLite changes a table by making it anew, and dropping the old one would delete its children.
    """
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:  # said to the driver itself: inside a transaction the pragma does nothing
        connection.connection.execute("PRAGMA foreign_keys = OFF")
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=False,
        include_name=include_name,
        render_as_batch=sqlite,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
        if sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"The migration would break foreign keys: {broken[:5]}")


def run_online() -> None:
    """Connect and migrate."""
    try:
        with db.engine.connect() as connection:
            run(connection.execution_options(shop_writes=True))
    finally:
        db.engine.dispose()  # the connection's foreign keys are off


if context.is_offline_mode():
    context.configure(url=str(db.engine.url), target_metadata=Base.metadata, literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    run_online()

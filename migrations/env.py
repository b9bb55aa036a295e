"""Alembic's environment: runs the migrations on the app's database."""

import sys
import time

from alembic import context
from flask import current_app
from sqlalchemy import Connection, text

from app.db import database_roles
from app.extensions import db
from app.models import Base

# What each database needs for search is its own business: app/services/catalogue/product_search.py.
NOT_MODELLED = (
    "products_fts", "ix_products_search", "ix_orders_search", "ix_variants_search", "ix_orders_lookup", "ix_users_lookup",
    "orders_fts", "users_fts",
    "search_vector", "search_words", "search_stems", "ix_search_words",
)  # fmt: skip


def include_name(name: str | None, _kind: str, _parents: object) -> bool:
    """Whether Alembic compares this name with the models."""
    return not (name or "").startswith(NOT_MODELLED)


def run(connection: Connection) -> None:
    """Run the migrations; on SQLite with foreign keys off, and checked before the commit.

    SQLite changes a table by making it anew, and dropping the old one would delete its children.
    On PostgreSQL each migration is a transaction, so that one can be done without any: see online.py.
    """
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:  # said to the driver itself: inside a transaction the pragma does nothing
        connection.connection.execute("PRAGMA foreign_keys = OFF")
        # Triggers of other tables may name the table that is missing for a moment.
        connection.connection.execute("PRAGMA legacy_alter_table = ON")
    else:
        take_time(connection)
        take_turns(connection)
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_type=True,
        compare_server_default=False,
        include_name=include_name,
        render_as_batch=sqlite,
        transactional_ddl=True,
        transaction_per_migration=not sqlite,
    )
    with context.begin_transaction():
        context.run_migrations()
        if sqlite:
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
            if broken:
                raise RuntimeError(f"The migration would break foreign keys: {broken[:5]}")
    # The migrations stay, whatever happens here: run the command again.
    database_roles.grant_privileges(connection, current_app.config["SQLALCHEMY_DATABASE_URI"])
    connection.commit()


def take_time(connection: Connection) -> None:
    """Let statements last as long as a large table needs; for locks they still wait 5 s only.

    Whatever waits for a lock on a table keeps those waiting who come after it.
    """
    connection.exec_driver_sql("SET statement_timeout = 0")
    connection.commit()
    connection.connection.dbapi_connection.max_silence = None  # see app/db/postgresql.py


def take_turns(connection: Connection) -> None:
    """Wait while somebody else migrates, so that several servers may begin by it.

    By asking again and again: a statement that waits would itself keep indexes from being made.
    The lock ends with the connection.
    """
    while not connection.scalar(text("SELECT pg_try_advisory_lock(20261122)")):
        connection.commit()
        time.sleep(0.2)
    connection.commit()


def run_online() -> None:
    """Connect as the owner of the tables, and migrate."""
    config = current_app.config
    if config["DATABASE_POOLER"] and not config["DATABASE_OWNER_URL"]:
        sys.exit("Migrations do not go through a pooler: set DATABASE_OWNER_URL, or for this command"
                 " DATABASE_URL, to PostgreSQL itself and DATABASE_POOLER=false.")  # fmt: skip
    engine = database_roles.owner_engine()
    try:
        with engine.connect() as connection:
            run(connection.execution_options(shop_writes=True))
    finally:
        engine.dispose()  # the connection's foreign keys are off


if context.is_offline_mode():
    context.configure(
        url=str(db.engine.url),
        target_metadata=Base.metadata,
        literal_binds=True,
        transaction_per_migration=db.engine.dialect.name == "postgresql",
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    run_online()

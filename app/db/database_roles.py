"""The two roles of a PostgreSQL database: its owner, and the runtime role that the shop uses.

The owner (DATABASE_OWNER_URL) owns the tables and runs the migrations. The runtime role
(DATABASE_URL) may read and write rows, but it cannot change tables, switch triggers off, or
rewrite the audit trail and the stock ledger: somebody who takes over the shop's process cannot
cover their tracks. Without DATABASE_OWNER_URL one role does both, as on a small shop's machine;
then the triggers alone protect these two tables.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, make_url, text

from app.extensions import db

Query = Callable[[str, Mapping[str, object]], Sequence[Any]]
"""Runs a query with values by name, and returns its rows."""

OWNER = "owner"
"""The name of the engine that `app.config` makes where DATABASE_OWNER_URL is set."""
APPEND_ONLY = ("audit_events", "stock_movements")
ERASABLE = {"stock_movements": "reason"}
"""Columns of append-only tables that may be overwritten with a fixed text: see migration 0014."""

_READ = frozenset({"SELECT"})
_APPEND = frozenset({"SELECT", "INSERT"})
_WRITE = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE"})
_FORBIDDEN = frozenset({"TRUNCATE", "REFERENCES", "TRIGGER"})
_MAINTAIN_SINCE = 170000
"""From PostgreSQL 17 on, ANALYZE after an import needs this privilege; before, PostgreSQL skips the
tables of others with a warning, and analyses them by itself some minutes later."""

_PRIVILEGES = """
    SELECT quote_ident(c.relname), p.name, has_table_privilege(%(role)s, c.oid, p.name)
    FROM pg_class c CROSS JOIN unnest(CAST(%(names)s AS text[])) p(name)
    WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind IN ('r', 'p')
      AND pg_has_role(c.relowner, 'USAGE')
    ORDER BY c.relname, p.name
"""
_SEQUENCES = """
    SELECT quote_ident(c.relname) FROM pg_class c
    WHERE c.relnamespace = CAST('public' AS regnamespace) AND c.relkind = 'S'
      AND pg_has_role(c.relowner, 'USAGE')
      AND NOT (has_sequence_privilege(%(role)s, c.oid, 'USAGE')
               AND has_sequence_privilege(%(role)s, c.oid, 'SELECT'))
    ORDER BY c.relname
"""
_MAY_UPDATE = "SELECT has_column_privilege(%(role)s, %(table)s, %(column)s, 'UPDATE')"
_MAY_ENTER = "SELECT has_schema_privilege(%(role)s, 'public', 'USAGE')"
_VERSION = "SELECT CAST(current_setting('server_version_num') AS integer)"
_POWERS = text("""
    SELECT r.rolsuper AS is_superuser,
           r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls AS has_attributes,
           EXISTS (SELECT FROM pg_class c
                   WHERE c.relnamespace = CAST('public' AS regnamespace)
                     AND c.relkind IN ('r', 'p') AND pg_has_role(c.relowner, 'MEMBER')) AS is_owner
    FROM pg_roles r WHERE r.rolname = current_user
""")


class Powers(NamedTuple):
    """Rights of a role that the shop does not need."""

    is_superuser: bool
    has_attributes: bool
    """CREATEROLE, CREATEDB, REPLICATION or BYPASSRLS."""
    is_owner: bool
    """It owns tables, or may become the role that does."""


class NotOwner(Exception):
    """The role may not do what only the owner of the tables may do."""


def owner_engine() -> Engine:
    """The engine of the tables' owner, or the shop's where both are one role."""
    return db.engines.get(OWNER, db.engine)


@contextmanager
def as_owner() -> Iterator[None]:
    """Run the transactions of the block under the owner's role, where there is one."""
    db.session.close()
    db.session.info["as_owner"] = True
    try:
        yield
    finally:
        db.session.close()
        db.session.info["as_owner"] = False


@contextmanager
def unprotected(connection: Connection, table: str) -> Iterator[None]:
    """Let the owner empty an append-only table: its triggers are off until the end of the block.

    Raises:
        NotOwner: the connection's role doesn't own the table.
    """
    if connection.dialect.name == "postgresql":
        if not powers(connection).is_owner:
            raise NotOwner
        connection.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        yield
        connection.exec_driver_sql(f"ALTER TABLE {table} ENABLE TRIGGER USER")
        return
    query = text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :table")
    triggers = connection.execute(query, {"table": table}).all()
    for trigger in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {trigger.name}")
    yield
    for trigger in triggers:
        connection.exec_driver_sql(trigger.sql)


def powers(connection: Connection) -> Powers:
    """The rights of a PostgreSQL connection's role that the shop does not need."""
    return Powers(*connection.execute(_POWERS).one())


def grant_privileges(connection: Connection, shop_url: str) -> None:
    """Grant the shop's role the privileges that it needs on the tables that exist now, and revoke
    others. `flask db upgrade` does so each time; statements run only where something changes.

    Args:
        connection: the owner's; the caller commits.
        shop_url: DATABASE_URL. Nothing happens where it names the owner, or SQLite.
    """

    def ask(query: str, values: Mapping[str, object]) -> Sequence[Any]:
        return connection.exec_driver_sql(query, dict(values)).all()

    role = make_url(shop_url).username
    if role and role != connection.engine.url.username:
        for statement in missing_grants(ask, role):
            connection.exec_driver_sql(statement)


def missing_grants(ask: Query, role: str) -> list[str]:
    """The GRANT and REVOKE statements that a role lacks to be the shop's.

    Args:
        ask: runs a query of psycopg2's as the owner of the tables.
    """
    quoted = '"' + role.replace('"', '""') + '"'
    return list(_missing_grants(ask, role, quoted))


def _missing_grants(ask: Query, role: str, quoted: str) -> Iterator[str]:
    if not ask(_MAY_ENTER, {"role": role})[0][0]:
        yield f"GRANT USAGE ON SCHEMA public TO {quoted}"
    yield from _table_grants(ask, role, quoted)
    for (sequence,) in ask(_SEQUENCES, {"role": role}):
        yield f"GRANT USAGE, SELECT ON SEQUENCE public.{sequence} TO {quoted}"


def _table_grants(ask: Query, role: str, quoted: str) -> Iterator[str]:
    maintain = {"MAINTAIN"} if ask(_VERSION, {})[0][0] >= _MAINTAIN_SINCE else set()
    names = sorted(_WRITE | _FORBIDDEN | maintain)
    tables = set()
    for table, privilege, is_held in ask(_PRIVILEGES, {"role": role, "names": names}):
        tables.add(table)
        is_needed = privilege in _needed(table) | maintain
        if is_needed and not is_held:
            yield f"GRANT {privilege} ON public.{table} TO {quoted}"
        elif is_held and not is_needed:
            yield f"REVOKE {privilege} ON public.{table} FROM {quoted}"
    for table, column in ERASABLE.items():
        values = {"role": role, "table": f"public.{table}", "column": column}
        if table in tables and not ask(_MAY_UPDATE, values)[0][0]:
            yield f"GRANT UPDATE ({column}) ON public.{table} TO {quoted}"


def _needed(table: str) -> frozenset[str]:
    if table == "alembic_version":
        return _READ
    return _APPEND if table in APPEND_ONLY else _WRITE

"""A PostgreSQL database: dumped as of one moment, and restored in one transaction.

pg_restore only translates the dump. Its SQL goes to the server as it is, over a connection of our
own, in one transaction with the locks and the removal of what was there. psql would be simpler, but
it also runs commands on this machine that a dump may hold (`\\!`), and pg_restore by itself can take
no lock before it begins.
"""

import contextlib
import random
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import psycopg2
from sqlalchemy import URL

from app.db.database_roles import missing_grants
from app.db.postgresql import without_deadline
from backups.failure import Failure
from backups.shop import Shop, connection_options, connection_string, program

LOCK_SECONDS = 60.0
"""How long a restore tries to lock all tables."""
LOCK_TRY_SECONDS = 2
"""How long one try waits for one table; requests wait meanwhile, and give up after 5 s."""
# Nor comments: the one on an extension is for its owner, who may be another role.
WITHOUT = ("--no-owner", "--no-privileges", "--no-comments")
# Membership in these is as good as being a superuser: SQL may run programs, or touch any file.
POWERFUL = ("pg_execute_server_program", "pg_read_server_files", "pg_write_server_files")
_COPY = re.compile(rb"COPY .* FROM stdin;\n")
_END_OF_COPY = rb"\." + b"\n"
# Newer versions of pg_restore begin and end with one of these, which are for psql alone.
_FOR_PSQL = re.compile(rb"(?m)^\\(un)?restrict [A-Za-z0-9]+$")

_COMMENT = re.compile(rb"(?m)^(--|\\(un)?restrict ).*$")

Connection = Any


def dump(shop: Shop, target: Path) -> None:
    """Write the database in pg_dump's custom format."""
    where, environment = connection_string(shop.url)
    options = ("--format=custom", f"--file={target}", "--no-password", f"--dbname={where}")
    subprocess.run(
        [program("pg_dump", server_version(shop.url)), *options], check=True, env=environment
    )
    target.chmod(0o600)


@contextlib.contextmanager
def connected(url: URL) -> Iterator[Connection]:
    """A connection of psycopg2 that waits for its answers as long as they take."""
    with without_deadline(), contextlib.closing(psycopg2.connect(**connection_options(url))) as it:
        with it.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET client_min_messages = warning")
        it.commit()
        yield it


def server_version(url: URL) -> int:
    """The major version of a server."""
    with connected(url) as connection:
        return int(connection.server_version) // 10_000


def replace(
    url: URL,
    source: Path,
    is_allowed: Callable[[str | None, int], None],
    shop_role: str | None = None,
) -> None:
    """Put a dump in place of all tables, functions and types of the schema `public`, or of nothing.

    In the same transaction the shop's role is granted what it needs, where that is not the owner,
    so that servers go on. `is_allowed` gets the revision of the dump's schema and the number of other sessions, and
    raises Failure where they do not go together.

    Raises:
        Failure: the role could do harm beyond its database, others keep tables locked, or the dump
            cannot be read to its end; the database is as it was before.
    """
    try:
        with connected(url) as connection:
            refuse_powerful(connection)
            _lock_tables(connection)
            _drop_all(connection)
            _load(connection, source, program("pg_restore", connection.server_version // 10_000))
            is_allowed(_revision(connection), _other_sessions(connection))
            _grant(connection, url, shop_role)
            connection.commit()
    except psycopg2.Error as error:
        reason = str(error).strip().partition("\n")[0]
        raise Failure(f"PostgreSQL refused: {reason}; the database is as it was before") from None


def grant(url: URL, shop_role: str | None) -> None:
    """Grant the shop's role what it needs of the tables that a migration has added."""
    with connected(url) as connection:
        _grant(connection, url, shop_role)
        connection.commit()


def _grant(connection: Connection, url: URL, shop_role: str | None) -> None:
    def ask(query: str, values: Mapping[str, Any]) -> Sequence[Any]:
        with connection.cursor() as cursor:
            cursor.execute(query, dict(values))
            return list(cursor.fetchall())

    if shop_role and shop_role != url.username:
        for statement in missing_grants(ask, shop_role):
            run(connection, statement)


def refuse_powerful(connection: Connection) -> None:
    """Raises: Failure where the role is a superuser, or may run programs on the server."""
    query = """
        SELECT rolname, rolsuper OR EXISTS (
            SELECT FROM pg_roles AS powerful
            WHERE powerful.rolname = ANY(%s) AND pg_has_role(pg_roles.oid, powerful.oid, 'MEMBER'))
        FROM pg_roles WHERE rolname IN (session_user, current_user)
    """
    for role, is_powerful in rows(connection, query, list(POWERFUL)):
        if is_powerful:
            raise Failure(
                f"the role {role} is a superuser or may run programs on the server,"
                " and so could whatever a backup holds: set DATABASE_OWNER_URL to the role"
                " that owns the shop's database and no more"
            )


def _lock_tables(connection: Connection) -> None:
    """Lock all tables before anything is changed, so that nothing fails half-way.

    Requests lock tables in orders of their own, so one of them and this may wait for each other;
    PostgreSQL ends one of the two, and if it is this one it begins again.
    """
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        connection.rollback()
        names = [name for (name,) in rows(connection, _TABLES)]
        try:
            run(connection, f"SET LOCAL lock_timeout = '{LOCK_TRY_SECONDS}s'")
            for name in names:
                run(connection, f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
            return
        except (
            psycopg2.errors.DeadlockDetected,
            psycopg2.errors.LockNotAvailable,
            psycopg2.errors.UndefinedTable,
        ):
            connection.rollback()
            if time.monotonic() > deadline:
                raise Failure(_told_of_locks(connection)) from None
        time.sleep(random.uniform(0.05, 0.3))


def _told_of_locks(connection: Connection) -> str:
    query = """
        SELECT DISTINCT pid FROM pg_locks JOIN pg_class ON pg_class.oid = relation
        WHERE relnamespace = 'public'::regnamespace AND granted AND pid <> pg_backend_pid()
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        ORDER BY pid
    """
    pids = ", ".join(str(pid) for (pid,) in rows(connection, query)) or "none by now"
    return (
        f"the tables could not be locked within {LOCK_SECONDS:.0f} s; the database is as it was"
        f" before: stop the servers, then try again (server processes that hold locks: {pids})"
    )


_OF_EXTENSION = "EXISTS (SELECT FROM pg_depend WHERE classid = '{}'::regclass AND objid = {}.oid AND deptype = 'e')"
_TABLES = f"""
    SELECT format('%I.%I', 'public', relname) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
      AND NOT {_OF_EXTENSION.format("pg_class", "pg_class")}
    ORDER BY relname
"""
# Not the schema itself: the rights of other roles on it, and what they get on new tables by
# ALTER DEFAULT PRIVILEGES, are kept.
_DROPS = (
    f"""
    SELECT format('DROP %s IF EXISTS public.%I CASCADE',
        CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
            WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, relname)
    FROM pg_class WHERE relnamespace = 'public'::regnamespace
      AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
      AND NOT {_OF_EXTENSION.format("pg_class", "pg_class")}
    ORDER BY relkind = 'S', relname
    """,
    f"""
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', oid::regprocedure)
    FROM pg_proc WHERE pronamespace = 'public'::regnamespace
      AND NOT {_OF_EXTENSION.format("pg_proc", "pg_proc")}
    ORDER BY oid
    """,
    f"""
    SELECT format('DROP TYPE IF EXISTS %s CASCADE', oid::regtype)
    FROM pg_type WHERE typnamespace = 'public'::regnamespace
      AND (typtype IN ('e', 'd', 'r') OR typtype = 'c' AND typrelid IN (
          SELECT oid FROM pg_class WHERE relkind = 'c'))
      AND NOT {_OF_EXTENSION.format("pg_type", "pg_type")}
    ORDER BY oid
    """,
)


def _drop_all(connection: Connection) -> None:
    for query in _DROPS:
        for (statement,) in rows(connection, query):
            run(connection, statement)


def _run_script(connection: Connection, script: bytes) -> None:
    """Run what pg_restore writes; psycopg2 refuses what consists of comments only."""
    if _COMMENT.sub(b"", script).strip():
        run(connection, _FOR_PSQL.sub(b"", script))


def _load(connection: Connection, source: Path, pg_restore: str) -> None:
    """Run a dump: its tables, their rows, then its indexes, constraints and triggers."""
    for section in ("pre-data", "data", "post-data"):
        command = [pg_restore, *WITHOUT, f"--section={section}", "--file=-", str(source)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            try:
                if section == "data":
                    _run_data(connection, process.stdout)
                else:
                    _run_script(connection, process.stdout.read())
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise Failure("pg_restore cannot read the dump; the database is as it was before")


def _run_data(connection: Connection, lines: IO[bytes]) -> None:
    """Run what pg_restore writes for rows: statements, and COPY with rows up to a `\\.`."""
    statements: list[bytes] = []
    for line in lines:
        if not _COPY.fullmatch(line):
            statements.append(line)
            continue
        _run_script(connection, b"".join(statements))
        statements.clear()
        with connection.cursor() as cursor:
            cursor.copy_expert(line.decode(), _Rows(lines))
    _run_script(connection, b"".join(statements))


class _Rows:
    """The rows of one COPY, as a file that ends with them."""

    def __init__(self, lines: IO[bytes]) -> None:
        self._lines, self._is_over = lines, False

    def read(self, size: int) -> bytes:
        """Some whole rows; nothing at their end."""
        rows = bytearray()
        while not self._is_over and len(rows) < size:
            line = self._lines.readline()
            self._is_over = line in (_END_OF_COPY, b"")
            if not self._is_over:
                rows += line
        return bytes(rows)


def _revision(connection: Connection) -> str | None:
    has_table = "SELECT to_regclass('public.alembic_version') IS NOT NULL"
    if not rows(connection, has_table)[0][0]:
        return None
    revisions = rows(connection, "SELECT version_num FROM public.alembic_version")
    return str(revisions[0][0]) if revisions else None


def _other_sessions(connection: Connection) -> int:
    query = """
        SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND usesysid IS NOT NULL AND pid <> pg_backend_pid()
    """
    return int(rows(connection, query)[0][0])


def run(connection: Connection, statement: str | bytes) -> None:
    """Run a statement, or several."""
    with connection.cursor() as cursor:
        cursor.execute(statement)


def rows(connection: Connection, query: str, *values: Any) -> list[tuple[Any, ...]]:
    """The rows that a query answers."""
    with connection.cursor() as cursor:
        # Without values, `%` in the query is what it is.
        cursor.execute(query, values or None)
        return list(cursor.fetchall())

"""The PostgreSQL roles of the tests. None of them is a superuser.

- The maintenance role is the one that TEST_DATABASE_URL names. It creates the other two roles, and
  the databases.
- OWNER owns the databases and all tables in them, and runs the migrations.
- RUNTIME is the role of the shop under test.

The passwords contain characters that URLs, shells and connection strings treat specially, so that
a place that doesn't quote them fails.
"""

import hashlib

import psycopg2
from sqlalchemy import URL, make_url

MAINTENANCE = "shopswift_tests"
OWNER = "shopswift_tests_owner"
RUNTIME = "shopswift_tests_runtime"
SPECIAL = "p@ss:/word%+'"
MAINTENANCE_PASSWORD = f"{MAINTENANCE}-{SPECIAL}"
"""Of the throw-away clusters, which listen on the loopback interface only."""

_CREATE = """
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}') THEN
        CREATE ROLE {name} LOGIN;
        GRANT {name} TO CURRENT_USER;
    END IF;
    ALTER ROLE {name} PASSWORD '{password}';
"""
# Several test runs may use the same server: the lock keeps them from creating a role twice.
_CREATE_ALL = "DO $do$ BEGIN PERFORM pg_advisory_xact_lock(20261130); {} END $do$"


def prepare(maintenance_url: str) -> None:
    """Create the owner and the runtime role where they are missing, and set their passwords."""
    run_sql(
        maintenance_url,
        _CREATE_ALL.format(
            "".join(_create(maintenance_url, name) for name in (OWNER, RUNTIME)),
        ),
    )


def _create(maintenance_url: str, name: str) -> str:
    password = str(_with_role(maintenance_url, name).password)
    return _CREATE.format(name=name, password=password.replace("'", "''"))


def as_owner(url: str) -> str:
    """The same database, connected to as its owner; a SQLite URL is returned as it is."""
    return _as(url, OWNER)


def as_runtime(url: str) -> str:
    """The same database, connected to as the shop; a SQLite URL is returned as it is."""
    return _as(url, RUNTIME)


def settings(url: str) -> dict[str, str]:
    """The shop's settings for a database: its own role, and the owner where there are roles."""
    owner = {} if url.startswith("sqlite") else {"DATABASE_OWNER_URL": as_owner(url)}
    return {"DATABASE_URL": as_runtime(url), **owner}


def _as(url: str, name: str) -> str:
    if url.startswith("sqlite"):
        return url
    return _with_role(url, name).render_as_string(hide_password=False)


def _with_role(url: str, name: str) -> URL:
    """The password follows from the maintenance role's, so that nothing has to be handed on: not
    everybody can connect to a server that outlives the tests."""
    given = make_url(url)
    if given.username in (OWNER, RUNTIME):
        secret = str(given.password).rpartition("-")[2]
    else:
        secret = hashlib.sha256(str(given.password).encode()).hexdigest()[:16]
    return given.set(username=name, password=f"{name}-{SPECIAL}-{secret}")


def run_sql(url: str, statement: str) -> None:
    """Run one statement outside a transaction."""
    connection = psycopg2.connect(url.replace("+psycopg2", ""))
    try:
        connection.autocommit = True
        connection.cursor().execute(statement)
    finally:
        connection.close()

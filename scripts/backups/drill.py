"""A drill: the newest backup, restored to where nobody buys, audited, and dropped."""

import contextlib
import re
import secrets
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from sqlalchemy import URL

from app.observability import task_status
from backups import manifests, pictures, postgresql, restoring
from backups.failure import Failure
from backups.shop import Shop, other_shop

MAX_SECONDS = 2 * 60 * 60
"""After which a drill gives up and drops what it has made."""
SCRATCH = "_drill_"
_NAME = re.compile(r"shop-[0-9]{8}T[0-9]{6}\.[0-9]{6}Z")


def run(shop: Shop, folder: Path) -> str:
    """Try the newest backup in a folder; what came of it, in a sentence.

    Raises:
        Failure: there is none, it cannot be restored, or its books are not right.
    """
    with task_status.recording(Path(shop.settings.STATUS_FOLDER), "drill"), _bounded():
        backup = newest(folder)
        manifest = manifests.read(backup, shop.settings.backup_keys())
        if manifest.kind != shop.kind:
            raise Failure(f"{backup} is of {manifest.kind}, and DATABASE_URL names {shop.kind}")
        with tempfile.TemporaryDirectory(prefix="shopswift-drill-") as private:
            pictures.refuse_full(Path(private), 3 * manifest.size)
            with _scratch_database(shop, Path(private)) as url:
                copied = restoring.restore(
                    backup, manifest, _scratch_shop(url, Path(private)), may_replace=False
                )
    return f"drill: {backup}: restored, audited and dropped, {copied} files of pictures."


def newest(folder: Path) -> Path:
    """The newest backup of a folder. Their names tell their times, and are signed.

    Raises:
        Failure: there is none.
    """
    names = [path.name for path in folder.iterdir() if _NAME.fullmatch(path.name)]
    if not names:
        raise Failure(f"there is no backup in {folder}")
    return folder / max(names)


def _scratch_shop(url: str, private: Path) -> Shop:
    return other_shop(
        **restoring.BY_ITSELF,
        DATABASE_URL=url,
        DATABASE_OWNER_URL="" if url.startswith("sqlite") else url,
        MEDIA_FOLDER=str(private / "media"),
        STATUS_FOLDER=str(private / "status"),
    )


@contextlib.contextmanager
def _scratch_database(shop: Shop, private: Path) -> Iterator[str]:
    if shop.kind == "sqlite":
        yield f"sqlite:///{private / 'database' / 'shop.db'}"
        return
    with _postgresql_database(shop.url) as url:
        yield url.render_as_string(hide_password=False)


@contextlib.contextmanager
def _postgresql_database(own: URL) -> Iterator[URL]:
    """A new database on the shop's server, dropped at the end; and so are those that drills which
    were killed have left."""
    prefix = f"{own.database}"[:40] + SCRATCH
    with postgresql.connected(own) as connection:
        connection.autocommit = True
        if not postgresql.rows(connection, "SELECT pg_try_advisory_lock(20261130)")[0][0]:
            raise Failure("another drill is going on")
        leftovers = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        for (name,) in postgresql.rows(connection, leftovers, prefix):
            _drop(connection, name, prefix)
        name = prefix + secrets.token_hex(4)
        postgresql.run(
            connection,
            f"CREATE DATABASE {_quoted(name)} TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C'",
        )
        try:
            yield own.set(database=name)
        finally:
            _drop(connection, name, prefix)


def _drop(connection: postgresql.Connection, name: str, prefix: str) -> None:
    if re.fullmatch(re.escape(prefix) + "[0-9a-f]{8}", name):  # never the shop's own
        postgresql.run(connection, f"DROP DATABASE IF EXISTS {_quoted(name)} WITH (FORCE)")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raises: Failure after MAX_SECONDS, or where the operator ends the drill (SIGTERM)."""

    def give_up(number: int, _frame: FrameType | None) -> None:
        ended = "took too long" if number == signal.SIGALRM else "was ended"
        raise Failure(f"the drill {ended}; its database and folder are dropped")

    before = signal.signal(signal.SIGTERM, give_up)
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(MAX_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGTERM, before)

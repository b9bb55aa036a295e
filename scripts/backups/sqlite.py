"""A SQLite database: copied as of one moment, and written over in one transaction."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from backups.failure import Failure

BUSY, LOCKED = 5, 6
"""SQLite's result codes; `sqlite3` has names for them from Python 3.11 on."""
LOCK_SECONDS = 30.0
"""How long a restore waits for the servers' transactions, each of which takes milliseconds."""


def dump(source: Path, target: Path) -> None:
    """Copy a database in one step, which is one moment; in write-ahead mode nobody waits for it.

    Raises:
        Failure: there is no database, or the copy is damaged.
    """
    if not source.is_file():
        raise Failure(f"there is no database {source}")
    with _opened(source) as shop, _opened(target) as copy:
        shop.backup(copy)
        if copy.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise Failure("the copy of the database is damaged")
        copy.execute("PRAGMA journal_mode = DELETE")  # a single file
    target.chmod(0o600)


def replace(source: Path, target: Path) -> None:
    """Write a database over another in one transaction.

    The file stays the same one, so a server that has it open goes on with the new content, as after
    anybody else's commit. To rename a new file over it would leave the server with the old file,
    which has no name any more: its writes would be confirmed and lost.

    Raises:
        Failure: other transactions kept the database busy; it is as it was before.
    """
    deadline = time.monotonic() + LOCK_SECONDS

    def give_up(status: int, _remaining: int, _total: int) -> None:
        if status in (BUSY, LOCKED) and time.monotonic() > deadline:
            raise Failure(
                f"{target} was busy for {LOCK_SECONDS:.0f} s; it is as it was before:"
                " stop the servers, then try again"
            )

    with _opened(source) as copy, _opened(target) as shop:
        target.chmod(0o600)
        shop.execute("PRAGMA busy_timeout = 1000")
        copy.backup(shop, progress=give_up)


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        yield connection

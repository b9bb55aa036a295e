"""Where transactions open and end: the only commit in the program."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from app.errors import TryAgain
from app.extensions import db

ATTEMPTS = 3
log = logging.getLogger(__name__)
T = TypeVar("T")
Effect = Callable[[], None]

# 40001 serialization failure, 40P01 deadlock (PostgreSQL, appendix A); 0A000 a prepared statement
# whose tables a migration has changed (`app.db.prepared`).
_TRY_AGAIN = {"40001", "40P01", "0A000"}
# 23505 unique violation, 23503 foreign key violation.
_LOST_A_RACE = {"23505", "23503"}


def in_transaction(work: Callable[[], T]) -> T:
    """Run `work` and commit; run it afresh when the database asks for another try.

    A unique or foreign key violation means that somebody else committed between a check and its
    write: the next try sees their row, and refuses in the shop's own words.

    Raises:
        RuntimeError: a transaction is open already; services take part in it, and open none.
    """
    if db.session.info.get("in_transaction"):
        raise RuntimeError("A transaction inside another would commit half of the outer one.")
    db.session.info["in_transaction"] = True
    try:
        result = _until_it_stands(work)
    finally:
        db.session.info["in_transaction"] = False
    _run_effects()
    return result


def _until_it_stands(work: Callable[[], T]) -> T:
    attempt = 1
    while True:
        try:
            _begin_writing()
            db.session.info["attempt"] = attempt
            result = work()
            db.session.commit()
            return result
        except BaseException as error:
            db.session.rollback()
            _effects().clear()
            if attempt == ATTEMPTS or not is_transient(error):
                raise
        time.sleep(random.uniform(0.001, 0.02) * attempt)  # noqa: S311 - only spreads the load
        attempt += 1


def open_snapshot() -> None:
    """Read from here on what stood in the database at one moment, and write nothing.

    On SQLite every read transaction is such a snapshot. On PostgreSQL it is asked for within the
    transaction: set on the connection, it would have to be taken back, which through a pooler may
    reach another one, and leave the first unable to write for whoever comes next.
    """
    db.session.close()
    if db.engine.dialect.name == "postgresql":
        connection = db.session.connection(execution_options={"shop_reads": False})
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))  # a large shop takes its time


def end_session(_error: BaseException | None = None) -> None:
    """Give the session and its connection back, even where the database is gone by now.

    What was only read ends with a rollback too. Where the connection has died since, that fails,
    after the answer was made: left alone, the server would send a 500 of its own instead.
    """
    if not db.session.registry.has():
        return
    session = db.session()
    try:
        session.close()
    except DBAPIError as error:
        log.warning("A session's connection was lost: %s", type(error.orig).__name__)
        session.invalidate()
    db.session.remove()


def is_another_try() -> bool:
    """Whether this work was begun before, and something came in between: now it had better lock
    what it reads."""
    return bool(db.session.info.get("attempt", 1) > 1)


def after_commit(effect: Effect) -> None:
    """Queue what may only happen once the transaction stands; forgotten when it does not."""
    _effects().append(effect)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed on another try."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, TryAgain)
    code = getattr(error.orig, "pgcode", None)
    if code is not None:
        return code in _TRY_AGAIN or code in _LOST_A_RACE
    text = str(error.orig)
    if isinstance(error, IntegrityError):
        return text.startswith(("UNIQUE", "FOREIGN KEY"))
    return isinstance(error, OperationalError) and "database is locked" in text


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a lock in the database was not free in time: `lock_timeout` of PostgreSQL (55P03), or
    the busy time-out of SQLite."""
    original = getattr(error, "orig", None)
    code = getattr(original, "pgcode", None)
    return code == "55P03" if code else "database is locked" in str(original)


def _begin_writing() -> None:
    # Ends the read that looked up the caller: SQLite cannot turn a read into a write safely.
    db.session.close()
    _effects().clear()
    db.session.connection(execution_options={"shop_writes": True})


def _effects() -> list[Effect]:
    effects: list[Effect] = db.session.info.setdefault("effects", [])
    return effects


def _run_effects() -> None:
    effects = list(_effects())
    _effects().clear()
    for effect in effects:
        try:
            effect()
        except Exception:  # the write stands; whatever hangs on it must not undo the answer
            log.exception("An effect after the commit failed.")

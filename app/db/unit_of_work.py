"""Transactions: the only module that begins and commits them."""

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
_RACE_LOST = {"23505", "23503"}


def in_transaction(work: Callable[[], T]) -> T:
    """Run `work` and commit. Run it again, up to ATTEMPTS times, after an error that may not recur.

    A unique or foreign key violation means that another transaction committed between a check and
    its write: the next attempt sees its row, and refuses in the shop's own words.

    Raises:
        RuntimeError: a transaction is open already. Services take part in it and open none.
    """
    if db.session.info.get("in_transaction"):
        raise RuntimeError("A transaction inside another would commit half of the outer one.")
    db.session.info["in_transaction"] = True
    try:
        result = _run_with_retries(work)
    finally:
        db.session.info["in_transaction"] = False
    _run_effects()
    return result


def _run_with_retries(work: Callable[[], T]) -> T:
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
        time.sleep(random.uniform(0.001, 0.02) * attempt)  # noqa: S311 - spreads the attempts
        attempt += 1


def open_snapshot() -> None:
    """Begin a transaction that reads the database as of one moment, and writes nothing.

    On SQLite each read transaction is such a snapshot. On PostgreSQL the isolation level is set
    within the transaction. Set on the connection, it would have to be reset, which a pooler may send
    to another connection; the first one would then refuse its next client's writes.
    """
    db.session.close()
    if db.engine.dialect.name == "postgresql":
        connection = db.session.connection(execution_options={"shop_reads": False})
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        connection.execute(
            text("SET LOCAL statement_timeout = 0")
        )  # reading a large shop takes long


def end_session(_error: BaseException | None = None) -> None:
    """Close the session and return its connection, even where the database is away by now.

    Reads end with a rollback, too. Where the connection was lost, the rollback fails after the
    answer was made; the error is logged, or the server would send a 500 instead of the answer.
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
    """Whether an attempt of this work failed before. It should lock the rows that it reads now."""
    return bool(db.session.info.get("attempt", 1) > 1)


def after_commit(effect: Effect) -> None:
    """Queue an effect that runs after the commit, and not at all after a rollback."""
    _effects().append(effect)


def is_transient(error: BaseException) -> bool:
    """Whether the same work may succeed on another try."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, TryAgain)
    code = getattr(error.orig, "pgcode", None)
    if code is not None:
        return code in _TRY_AGAIN or code in _RACE_LOST
    text = str(error.orig)
    if isinstance(error, IntegrityError):
        return text.startswith(("UNIQUE", "FOREIGN KEY"))
    return isinstance(error, OperationalError) and "database is locked" in text


def is_lock_timeout(error: BaseException) -> bool:
    """Whether a lock in the database was not free in time: PostgreSQL's `lock_timeout` (55P03), or
    SQLite's busy timeout."""
    original = getattr(error, "orig", None)
    code = getattr(original, "pgcode", None)
    return code == "55P03" if code else "database is locked" in str(original)


def _begin_writing() -> None:
    # Ends the read that looked the caller up: SQLite cannot safely turn a read into a write.
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
        except Exception:  # the write is committed, so its answer must be sent
            log.exception("An effect after the commit failed.")

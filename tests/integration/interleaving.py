"""Two requests of which the second comes in the middle of the first, in the same order each time."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar
from unittest import mock

from flask import Flask
from sqlalchemy import Engine, event, text

from app.db import sqlite
from app.extensions import db

S = TypeVar("S")
T = TypeVar("T")
SECONDS = 20
"""How long a step may take before the test fails."""
WAITING = text(
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def interleave(
    app: Flask, first: Callable[[], S], statement: str, second: Callable[[], T], nth: int = 1
) -> tuple[S, T]:
    """What both calls answer.

    `first` runs until its `nth` statement that contains `statement` has been carried out. Then
    `second` runs until it ends or waits for a lock, and only then does `first` go on.
    """
    with app.app_context():
        engine = db.engine
    gate = _Gate(statement, nth)
    with ThreadPoolExecutor(2) as threads, gate.closed(engine), _writers_noted(gate):
        one = threads.submit(gate.run, first)
        assert gate.reached.wait(SECONDS), f"No statement contains {statement!r}."
        other = threads.submit(second)
        wait_until(lambda: other.done() or gate.is_waited_for(engine))
        gate.opened.set()
        return one.result(SECONDS), other.result(SECONDS)


@contextmanager
def meanwhile(
    app: Flask, statement: str, work: Callable[[], object]
) -> Iterator[list[Future[Any]]]:
    """Run `work` in a thread of its own after each statement of this thread that contains
    `statement`, until it ends or waits for a lock.

    Each time adds to the list, whose work has ended when the block has.
    """
    with app.app_context():
        engine = db.engine
    runs: list[Future[Any]] = []
    this_thread = threading.get_ident()

    def interfere(_connection: Any, _cursor: Any, text_: str, *_rest: Any) -> None:
        if statement in text_ and threading.get_ident() == this_thread:
            runs.append(run := threads.submit(work))
            wait_until(lambda: run.done() or is_waiting(engine))

    event.listen(engine, "after_cursor_execute", interfere)
    try:
        with ThreadPoolExecutor() as threads:
            yield runs
    finally:
        event.remove(engine, "after_cursor_execute", interfere)
    for run in runs:
        run.result()


def is_waiting(engine: Engine) -> bool:
    """Whether anybody waits for a lock in this database of PostgreSQL."""
    with engine.connect() as connection:
        return bool(connection.scalar(WAITING))


class _Gate:
    """Where the first request stands still until the second has come as far as it can."""

    def __init__(self, statement: str, nth: int) -> None:
        self._statement, self._still_to_come = statement, nth
        self.reached, self.opened = threading.Event(), threading.Event()
        self.waiters = 0
        self._thread: int | None = None

    def run(self, work: Callable[[], T]) -> T:
        self._thread = threading.get_ident()
        try:
            return work()
        finally:
            self._thread = None

    @contextmanager
    def closed(self, engine: Engine) -> Iterator[None]:
        """Hold the thread that calls `run`; it is let go in any case."""
        event.listen(engine, "after_cursor_execute", self._hold)
        try:
            yield
        finally:
            self.opened.set()
            event.remove(engine, "after_cursor_execute", self._hold)

    def is_waited_for(self, engine: Engine) -> bool:
        """Whether the second request waits for a lock."""
        if engine.dialect.name == "sqlite":
            return self.waiters > 0
        return is_waiting(engine)

    def _hold(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if self._statement in statement and threading.get_ident() == self._thread:
            self._still_to_come -= 1
            if self._still_to_come == 0:
                self.reached.set()
                self.opened.wait(SECONDS)


@contextmanager
def _writers_noted(gate: _Gate) -> Iterator[None]:
    """Count who waits to write on SQLite, which has one writer at a time."""
    pause = sqlite._WriteQueue._pause

    def note(queue: Any) -> float:
        gate.waiters += 1
        return pause(queue)

    with mock.patch.object(sqlite._WriteQueue, "_pause", note):
        yield


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, "The second request neither ends nor waits."
        time.sleep(0.002)

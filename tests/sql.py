"""What the shop asks its database, as it is sent."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event

from app.extensions import db


@contextmanager
def watched(app: Flask, note: Callable[[str, Any], None]) -> Iterator[None]:
    """Call `note` with each statement that is sent meanwhile, and its parameters."""

    def hear(_connection: object, _cursor: object, statement: str, given: Any, *_: object) -> None:
        note(statement, given)

    with app.app_context():
        engine = db.engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", hear)

"""The shop's listeners are attached to the engines of an app, and to no others."""

from sqlalchemy import Engine, create_engine, event

from app.db import statement_watch
from app.extensions import db


def is_watched(target) -> bool:
    return event.contains(target, "before_cursor_execute", statement_watch._begin)


def test_each_engine_of_the_app_has_the_listeners_and_no_other_engine_has(app, environ):
    with app.app_context():
        own = [is_watched(engine) for engine in db.engines.values()]

    assert own == [True] * len(own)
    assert not is_watched(create_engine(environ["DATABASE_URL"]))
    assert not is_watched(Engine)

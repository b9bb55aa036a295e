"""Runs the shop's commands in the process of the tests: most need none of their own, whose start
takes two seconds of a core."""

import faulthandler
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from click.testing import Result

from app import config, create_app
from app.extensions import db

SECONDS = 600
"""After so long a command hangs, and the process ends with the stack of each thread."""
_one_command = threading.Lock()


def run(environ: Mapping[str, str], *arguments: str) -> Result:
    """Run one of the shop's commands to its end, with these settings beside the process's own. One
    at a time: much of a command is the process's."""
    with _one_command, _restored_logging():
        settings = config.load({**os.environ, **environ, "LOG_LEVEL": "ERROR"})
        app = create_app(settings)
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        try:
            return app.test_cli_runner().invoke(args=arguments)
        finally:
            faulthandler.cancel_dump_traceback_later()
            with app.app_context():
                for engine in db.engines.values():
                    engine.dispose()


@contextmanager
def _restored_logging() -> Iterator[None]:
    """Give the root logger back the level and handlers that it had: an app sets its own."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers

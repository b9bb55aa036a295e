"""Runs the shop's commands in the process of the tests: most need none of their own, whose start
takes two seconds of a core."""

import os
import threading
from collections.abc import Mapping

from click.testing import Result

from app import config, create_app
from app.extensions import db

_one_command = threading.Lock()


def run(environ: Mapping[str, str], *arguments: str) -> Result:
    """Run one of the shop's commands to its end, with these settings beside the process's own. One
    at a time: much of a command is the process's."""
    with _one_command:
        settings = config.load({**os.environ, **environ, "LOG_LEVEL": "ERROR"})
        app = create_app(settings)
        try:
            return app.test_cli_runner().invoke(args=arguments)
        finally:
            with app.app_context():
                for engine in db.engines.values():
                    engine.dispose()

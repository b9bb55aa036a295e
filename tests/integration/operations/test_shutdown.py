"""A server that is told to stop while one of its workers still starts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.config import ROOT
from tests import servers

pytestmark = [pytest.mark.processes, pytest.mark.only_on("sqlite")]
SLOW_START = """
import runpy, time
from pathlib import Path

globals().update(runpy.run_path("gunicorn.conf.py"))
start_worker = post_fork


def post_fork(server, worker):
    start_worker(server, worker)
    Path({starts!r}).touch()
    while not Path({goes_on!r}).exists():
        time.sleep(0.02)
"""
"""The shop's own configuration, with a worker that waits before it has handlers of its own."""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_still_starts_does_not_keep_the_server_from_its_end(
    app, environ, tmp_path, stop
):
    starts, goes_on, config = tmp_path / "starts", tmp_path / "goes-on", tmp_path / "config.py"
    config.write_text(SLOW_START.format(starts=str(starts), goes_on=str(goes_on)), "utf-8")
    environment = {
        **os.environ,
        **environ,
        "PORT": str(servers.free_port()),
        "WEB_CONCURRENCY": "1",
    }
    command = [sys.executable, "-m", "gunicorn", "-c", str(config), "manage:app"]
    with subprocess.Popen(command, cwd=ROOT, env=environment) as server:
        try:
            wait_for(starts)
            server.send_signal(stop)
            time.sleep(
                0.5
            )  # by then the server has told its worker, unless the machine is very busy
            goes_on.touch()

            assert server.wait(40) == 0  # before gunicorn would end it by force
        finally:
            server.kill()


def wait_for(file: Path) -> None:
    """Return once the file exists."""
    deadline = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} never came."
        time.sleep(0.02)

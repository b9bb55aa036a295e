"""Several processes that run the same code at the same time."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping

from app.config import ROOT

FORK = """
import os, sys
import app  # once for all of them: that takes longer than most tests

code, count = sys.argv.pop(1), int(sys.argv.pop(1))
if any(os.fork() == 0 for _ in range(count)):
    exec(code)
    sys.exit()
sys.exit(sum(os.wait()[1] != 0 for _ in range(count)))
"""


def side_by_side(
    count: int, code: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `code` in so many processes at once, and wait for all: the exit code of the answer is how
    many of them failed, its outputs are those of all."""
    command = [sys.executable, "-c", FORK, code, str(count), *arguments]
    with subprocess.Popen(
        command,
        env={**os.environ, **(environ or {})},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as parent:
        try:
            out, err = parent.communicate(timeout=300)
        except BaseException:
            os.killpg(parent.pid, signal.SIGKILL)  # its children, too
            raise
    return subprocess.CompletedProcess(command, parent.returncode, out, err)

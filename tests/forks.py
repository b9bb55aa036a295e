"""Runs the shop's scripts in forks of a process that has imported the shop: each is a process with its
own environment still, without the import that takes longer than what most of them do.

The process reads what to run from its input, a line of JSON each, and answers with exit codes.
"""

import gc
import json
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"


class Forks:
    """The process, seen from the tests."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(
        self, script: str, *arguments: object, env: Mapping[str, str]
    ) -> "subprocess.CompletedProcess[str]":
        """Run `scripts/<script>.py`; what came of it."""
        argv = [str(SCRIPTS / f"{script}.py"), *map(str, arguments)]
        with tempfile.TemporaryDirectory(prefix="shopswift-fork-") as folder:
            files = [Path(folder, name) for name in ("out", "err")]
            for file in files:
                file.touch()
            code = self._ask({"argv": argv, "env": dict(env), "files": [str(f) for f in files]})
            return subprocess.CompletedProcess(argv, code, *(file.read_text() for file in files))

    def _ask(self, wanted: dict[str, object]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@contextmanager
def started() -> Iterator[Forks]:
    """The process, until it is no longer needed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.forks"],
        cwd=SCRIPTS.parent,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forks(process)


def serve() -> None:
    """Fork for each line of the input, and answer how the fork ended; returns in no fork."""
    sys.path[0] = str(SCRIPTS)  # as where a script is started
    import backup  # noqa: F401
    import restore  # noqa: F401

    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            become(**json.loads(line))
        _pid, status = os.waitpid(pid, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


def become(argv: list[str], env: dict[str, str], files: list[str]) -> None:
    """Be the script, to the end of this process."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(files, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = argv
    runpy.run_path(argv[0], run_name="__main__")
    sys.exit()


if __name__ == "__main__":
    serve()

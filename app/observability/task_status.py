"""How the scheduled tasks ended last: small files, which `/metrics` reads.

Tasks (backup, purge, audit, drill) are processes that end before Prometheus could scrape them. Each
writes a file to STATUS_FOLDER, which the servers share as they share the pictures. The database is
not used here, as it may be what failed.
"""

import json
import logging
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from app.observability import status_files

TASKS = ("audit", "backup", "drill", "purge")
log = logging.getLogger(__name__)


class TaskStatus(NamedTuple):
    """The outcome of a task's last runs."""

    succeeded_at: float = 0.0
    """Unix time of the end of the last run that succeeded; 0 without one."""
    failed: bool = False
    """Whether the last run failed."""
    value: float = 0.0
    """Bytes of the last good backup, violations of the last audit; else 0."""


class TaskRun:
    """A run of a task, which may report a value."""

    value: float | None = None


@contextmanager
def recording(folder: Path, task: str) -> Iterator[TaskRun]:
    """Write how the block ends; any exception is a failure.

    A status that cannot be written is only logged: the task's own result counts.
    """
    run = TaskRun()
    try:
        yield run
    except BaseException:
        _record(folder, task, run, failed=True)
        raise
    _record(folder, task, run, failed=False)


def read(folder: Path, task: str) -> TaskStatus:
    """The status of a task; an empty one where its file is missing or cannot be read."""
    try:
        record = json.loads(status_files.content(folder / f"{task}.json"))
        status = TaskStatus(
            float(record["succeeded_at"]), bool(record["failed"]), float(record["value"])
        )
    except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return TaskStatus()
    is_finite = math.isfinite(status.succeeded_at) and math.isfinite(status.value)
    return status if is_finite else TaskStatus()


def _record(folder: Path, task: str, run: TaskRun, failed: bool) -> None:
    before = read(folder, task)
    status = TaskStatus(
        succeeded_at=before.succeeded_at if failed else time.time(),
        failed=failed,
        value=before.value if run.value is None else run.value,
    )
    try:
        status_files.replace(folder / f"{task}.json", json.dumps(status._asdict()))
    except OSError as error:
        log.warning("The status of %s cannot be written to %s: %s.", task, folder, error.strerror)


def all_tasks(folder: Path) -> Mapping[str, TaskStatus]:
    """The status of each task by its name."""
    return {task: read(folder, task) for task in TASKS}

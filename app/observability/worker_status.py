"""The figures of the worker's jobs: a small file, which `/metrics` reads without the database.

Every worker writes the figures of all jobs, as the database has them, so that any of them may be last.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from app.observability import status_files

FILE = "worker.json"
log = logging.getLogger(__name__)


class KindFigures(NamedTuple):
    """The jobs of a kind, by what they wait for."""

    due: int = 0
    running: int = 0
    later: int = 0
    parked: int = 0
    oldest_seconds: float = 0.0
    """How long the job that waits longest has been due; 0 where none is."""


class WorkerStatus(NamedTuple):
    """The last report of a worker."""

    reported_at: float = 0.0
    """Unix time; 0 without one."""
    kinds: Mapping[str, KindFigures] = {}


def write(folder: Path, kinds: Mapping[str, KindFigures]) -> None:
    """Report the figures. A file that cannot be written is only logged."""
    figures = {name: figures._asdict() for name, figures in kinds.items()}
    try:
        status_files.replace(
            folder / FILE, json.dumps({"reported_at": time.time(), "kinds": figures})
        )
    except OSError as error:
        log.warning("The worker's status cannot be written to %s: %s.", folder, error.strerror)


def read(folder: Path) -> WorkerStatus:
    """The last report; an empty one where its file is missing or cannot be read."""
    try:
        report = json.loads(status_files.content(folder / FILE))
        kinds = {str(name): KindFigures(**figures) for name, figures in report["kinds"].items()}
        status = WorkerStatus(float(report["reported_at"]), kinds)
        figures = [float(figure) for kind in kinds.values() for figure in kind]
    except (
        OSError,
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
        OverflowError,
    ):
        return WorkerStatus()
    return status if all(map(math.isfinite, [status.reported_at, *figures])) else WorkerStatus()

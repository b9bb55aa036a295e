"""`work`: the worker."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from flask import Flask, current_app

from app.cli.shell import command
from app.extensions import db
from app.jobs import KINDS, RELAYS, SCHEDULES
from app.jobs.worker import Worker

THREADS = 4


@command("work")
@click.option("--once", is_flag=True, help="Carry out what is due, and end.")
@click.option(
    "--threads", type=click.IntRange(1, 64), default=THREADS, show_default=True,
    help="How many jobs run at the same time.",
)  # fmt: skip
@click.option(
    "--health-file", type=click.Path(dir_okay=False, path_type=Path),
    help="A file that is touched every 10 s while the worker reaches its jobs.",
)  # fmt: skip
def work(once: bool, threads: int, health_file: Path | None) -> None:
    """Carry out the shop's jobs: what is scheduled, such as `purge` and `audit`, and what changes
    have made necessary.

    Any number of workers may run, on any machines. SIGTERM and SIGINT begin no other job and let
    what runs finish; a job that was killed is carried out again by another worker half a minute later.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    db.session.remove()  # each job has a context of its own
    worker = Worker(app, KINDS, SCHEDULES, threads, health_file, RELAYS)
    with _stopped_by_signals(worker):
        if once:
            worker.drain()
        else:
            worker.serve()


@contextmanager
def _stopped_by_signals(worker: Worker) -> Iterator[None]:
    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, lambda _number, _frame: worker.stop()) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)

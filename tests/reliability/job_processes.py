"""Processes of the scene `jobs`: some make changes with jobs, others are workers that carry them out.

A change and the effect of its job are events in the audit trail, which nobody can delete. Every job is
enqueued by two processes with one key, and every third change is rolled back after it was written.

`python -m tests.reliability.job_processes make PROCESSES SECONDS` and `… work PROCESSES`: forks of one
process, so that a killed one is replaced at once.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import count

from app import create_app
from app.config import load
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM
from app.jobs import worker
from app.jobs.kinds import Kind
from app.jobs.worker import Worker
from app.services.audit import trail
from app.services.messages import job_queue
from app.services.messages.job_queue import ClaimedJob

CHANGED, CARRIED_OUT, RAN = "job.changed", "job.carried_out", "job.ran"
ROLLED_BACK = 3
"""Every so many changes one is rolled back."""
LEASE_SECONDS, BEAT_SECONDS, POLL_SECONDS = 1.0, 0.3, 0.05
SECONDS_BETWEEN_CHANGES = 0.02
FIRST_OF_NEXT = 1_000_000
"""Changes of one pair of processes have numbers below this, those of the next pair above."""
THREADS = 3
KINDS = ("inside", "outside")


class RolledBack(Exception):
    """Ends a change that must leave nothing behind."""


def kind_of(number: int) -> str:
    """The kind of the job that belongs to a change."""
    return KINDS[number % len(KINDS)]


def change(number: int, is_first: bool) -> None:
    """Write a change with its job; the second process writes the job alone."""

    def write() -> None:
        if is_first:
            trail.record(SYSTEM, CHANGED, number, {}, {"by": "a change"})
        job_queue.enqueue(kind_of(number), str(number), {"number": number})
        if number % ROLLED_BACK == 0:
            raise RolledBack

    try:
        in_transaction(write)
    except RolledBack:
        return


def carry_out_inside(job: ClaimedJob) -> None:
    """The effect of a transactional job."""
    trail.record(SYSTEM, CARRIED_OUT, job.body["number"], {}, {"by": "a worker"})


def carry_out_outside(job: ClaimedJob) -> None:
    """The effect of a job that runs outside transactions, as a mail would be."""
    number = job.body["number"]
    in_transaction(lambda: trail.record(SYSTEM, RAN, number, {}, {"by": "a worker"}))


def make(place: int, seconds: float) -> None:
    """The changes of one process for so long; its neighbour enqueues the same jobs meanwhile."""
    app = create_app(load())
    end = time.monotonic() + seconds
    with app.app_context():
        for number in count(1 + place // 2 * FIRST_OF_NEXT):
            if time.monotonic() >= end:
                return
            change(number, is_first=place % 2 == 0)
            time.sleep(SECONDS_BETWEEN_CHANGES)


def work() -> None:
    """Be a worker until SIGTERM."""
    job_queue.LEASE_SECONDS = LEASE_SECONDS  # type: ignore[assignment]
    worker.BEAT_SECONDS, worker.POLL_SECONDS = BEAT_SECONDS, POLL_SECONDS
    kinds = (
        Kind("inside", carry_out_inside, transactional=True, max_tries=1000),
        Kind("outside", carry_out_outside, max_tries=1000),
    )
    working = Worker(create_app(load()), kinds, (), THREADS)
    signal.signal(signal.SIGTERM, lambda _number, _frame: working.stop())
    working.serve()


def fork(work: Callable[[], None]) -> int:
    """A child that does this and ends."""
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return pid


def keep_working(processes: int) -> None:
    """So many workers, each replaced when it is killed, until SIGTERM."""
    children = {fork(work) for _ in range(processes)}
    is_over = []

    def end(_number: int, _frame: object) -> None:
        is_over.append(True)
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    while children:
        child, _status = os.wait()
        children.discard(child)
        if not is_over:
            children.add(fork(work))


def main(role: str, processes: int, seconds: float = 0.0) -> None:
    """Fork for the role."""
    if role == "work":
        keep_working(processes)
        return
    for place in range(processes):
        fork(partial(make, place, seconds))
    for _ in range(processes):
        os.wait()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), *map(float, sys.argv[3:]))

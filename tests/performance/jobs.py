"""What the queue of jobs costs: jobs a second with several workers, CPU of each job, and how soon an idle
worker begins one.

`python -m tests.performance.jobs` measures on a PostgreSQL of its own and prints a line for each.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import func, insert, select

from app import create_app
from app.config import load
from app.db.unit_of_work import end_session, in_transaction
from app.domain.clock import utc_now
from app.extensions import db
from app.jobs.kinds import Kind
from app.jobs.worker import Worker
from app.models import Job
from app.services.messages import job_queue
from app.services.messages.job_queue import ClaimedJob
from tests.performance.cpu import cpu_seconds
from tests.performance.people import in_shop
from tests.performance.setting import Options, Setting, bench_setting

JOBS = 10_000
WORKERS = (2, 4, 8)
SINGLE = 200
"""Jobs that are enqueued one by one for an idle worker."""
PAUSE_SECONDS = 0.13
"""Between them: no multiple of the time between two polls."""


def main() -> None:
    """Measure and print."""
    with bench_setting(Options(None, None, limits=False), 1, 0, buyers=False) as setting:
        for workers in WORKERS:
            say(throughput(setting, workers))
        say(latency(setting))


def throughput(setting: Setting, workers: int) -> str:
    """JOBS that do nothing, each transactional or not, by so many workers of one thread."""
    with in_shop(setting.environ) as app, app.app_context():
        in_transaction(fill)
        cpu_before = cpu_seconds(setting.roots["database"])
        with working(setting, workers) as pids:
            while (left := waiting()) == JOBS:  # until they have started
                time.sleep(0.01)
            began = time.perf_counter()
            while waiting():
                time.sleep(0.05)
            seconds = time.perf_counter() - began
            cpu = sum(map(cpu_seconds, pids))
        in_database = cpu_seconds(setting.roots["database"]) - cpu_before
        in_transaction(lambda: db.session.execute(Job.__table__.delete()))
    return (
        f"{workers} workers: {left / seconds:.0f} jobs/s; CPU of a job {cpu / JOBS * 1000:.2f} ms"
        f" in the worker (with its start), {in_database / JOBS * 1000:.2f} ms in PostgreSQL"
    )


def latency(setting: Setting) -> str:
    """From a job's commit until an idle worker has begun it, for SINGLE jobs one after the other."""
    waits = []
    with in_shop(setting.environ) as app, app.app_context(), working(setting, 1):
        for number in range(SINGLE):
            in_transaction(lambda: job_queue.enqueue("nothing", f"single {number}"))  # noqa: B023
            began = time.perf_counter()
            while waiting():
                time.sleep(0.002)
            waits.append(time.perf_counter() - began)
            time.sleep(PAUSE_SECONDS)
    waits.sort()
    middle, late = (waits[int(SINGLE * part)] * 1000 for part in (0.5, 0.95))
    return f"latency of {SINGLE} jobs: p50 {middle:.0f} ms, p95 {late:.0f} ms, longest {waits[-1] * 1000:.0f} ms"


def fill() -> None:
    """Enqueue JOBS, half of them of each kind."""
    now = utc_now()
    rows = [
        {"kind": KINDS[number % 2].name, "key": str(number), "due_at": now}
        for number in range(JOBS)
    ]
    db.session.execute(insert(Job), rows)


def waiting() -> int:
    """How many jobs have not ended."""
    query = select(func.count(Job.id)).where(Job.status == "waiting")
    count = db.session.scalar(query) or 0
    end_session()
    return count


@contextmanager
def working(setting: Setting, workers: int) -> Iterator[list[int]]:
    """Workers of one thread each, in processes of their own."""
    command = [sys.executable, "-m", __spec__.name, "work"]
    environ = {**os.environ, **setting.environ}
    processes = [subprocess.Popen(command, env=environ) for _ in range(workers)]
    try:
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def work() -> None:
    """Be a worker until SIGTERM."""
    worker = Worker(create_app(load()), KINDS, ())
    signal.signal(signal.SIGTERM, lambda _number, _frame: worker.stop())
    worker.serve()


def do_nothing(_job: ClaimedJob) -> None:
    """The work of the jobs here: what is measured is the queue."""


KINDS = (Kind("nothing", do_nothing), Kind("nothing_inside", do_nothing, transactional=True))


def say(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    work() if sys.argv[1:] == ["work"] else main()

"""The worker: claims jobs and carries them out, several at a time.

Threads take turns in looking for work: one asks the database every POLL_SECONDS, and when it has
claimed a job the next one looks, so that an idle worker sends one short query at a time. Another
thread renews the leases of what runs, makes the jobs of schedules and reports the figures.

Measured with PostgreSQL's LISTEN as the alternative: see BENCHMARKS.md. Polling works through a
connection pooler and on SQLite as well.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from app.db.moments import seconds_from_now
from app.db.unit_of_work import end_session, in_transaction
from app.errors import ShopError
from app.extensions import db
from app.jobs.kinds import Ended, Kind, NoRetry, Postponed, Schedule, slot_key
from app.observability import worker_status
from app.services.messages import job_queue, mail_rules
from app.services.messages.job_queue import LEASE_SECONDS, ClaimedJob, LeaseLost

POLL_SECONDS = 0.5
"""How often an idle worker looks for work: a job starts half as long after its commit on average."""
BEAT_SECONDS = LEASE_SECONDS / 3
"""How often leases are renewed: two times may fail before one ends."""
PAUSE_SECONDS = 2.0
"""How long a worker waits before it asks a database again that did not answer."""
RELAY_PAUSE_SECONDS = 10.0
"""How long nothing is passed on after that has failed."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Relay:
    """Work that is looked for in a table of its own, in batches of one transaction each."""

    is_any_due: Callable[[], bool]
    carry_out: Callable[[], int]
    """Carries out a batch; how much there was."""


class Worker:
    """Carries out jobs of these kinds until it is stopped, or until none is due. A relay's work, which
    may make jobs, comes first."""

    def __init__(
        self,
        app: Flask,
        kinds: Sequence[Kind],
        schedules: Sequence[Schedule],
        threads: int = 1,
        health_file: Path | None = None,
        relays: Sequence[Relay] = (),
    ) -> None:
        self._app = app
        self._kinds: Mapping[str, Kind] = {kind.name: kind for kind in kinds}
        self._schedules = schedules
        self._threads = threads
        self._health_file = health_file
        self._relays = relays
        self._relay_from = 0.0
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self._failure: BaseException | None = None
        self._running: dict[int, ClaimedJob] = {}
        self._slots: dict[str, int] = {}

    def stop(self) -> None:
        """Begin no other job. What runs is finished."""
        self._stopping.set()

    def serve(self) -> None:
        """Carry out jobs until `stop` is called."""
        threads = [threading.Thread(target=self._work) for _ in range(self._threads)]
        with self._beating():
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        if self._failure is not None:
            raise self._failure

    def drain(self) -> None:
        """Carry out what is due, and what becomes due meanwhile, then return."""
        with self._app.app_context():
            self._make_scheduled_jobs()
        with self._beating():
            while not self._stopping.is_set():
                has_relayed = self._relay()
                job = self._claim()
                if job is not None:
                    self._finish(job)
                elif not has_relayed:
                    return

    @contextmanager
    def _beating(self) -> Iterator[None]:
        """Renew leases and report in another thread until the block ends."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat_until, args=(ended,))
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _work(self) -> None:
        """Carry out jobs. What no job may raise ends the whole worker: its supervisor starts it anew,
        while a worker with fewer threads would seem healthy."""
        try:
            while not self._stopping.is_set():
                with self._turn:
                    job = self._wait_for_job()
                if job is not None:
                    self._finish(job)
        except BaseException as error:
            log.exception("A thread of the worker failed.")
            self._failure = error
            self.stop()

    def _wait_for_job(self) -> ClaimedJob | None:
        """Look for a job until there is one; None once the worker is to stop."""
        while not self._stopping.is_set():
            try:
                has_relayed = self._relay()
                job = self._claim_due()
            except SQLAlchemyError as error:
                log.warning("The worker cannot ask for jobs: %s.", type(error).__name__)
                self._stopping.wait(PAUSE_SECONDS)
                continue
            if job is not None:
                return job
            if not has_relayed:
                self._stopping.wait(POLL_SECONDS)
        return None

    def _relay(self) -> bool:
        """Carry out a batch of what each relay finds; whether there was one. A relay that fails keeps no
        job waiting: it is tried again later."""
        if time.monotonic() < self._relay_from:
            return False
        with self._app.app_context():
            try:
                due = [relay for relay in self._relays if relay.is_any_due()]
                counts = [in_transaction(relay.carry_out) for relay in due]
                return any(counts)
            except SQLAlchemyError:
                raise
            except Exception:
                log.exception("Events cannot be passed on.")
                self._relay_from = time.monotonic() + RELAY_PAUSE_SECONDS
                return False
            finally:
                end_session()

    def _claim_due(self) -> ClaimedJob | None:
        with self._app.app_context():
            is_any_due = job_queue.is_any_due(self._kinds)
            end_session()
        return self._claim() if is_any_due else None

    def _claim(self) -> ClaimedJob | None:
        with self._app.app_context():
            job = in_transaction(lambda: job_queue.claim(self._kinds))
        if job is not None:
            self._running[job.id] = job
        return job

    def _finish(self, job: ClaimedJob) -> None:
        try:
            with self._app.app_context():
                self._carry_out(job, self._kinds[job.kind])
        except LeaseLost:
            log.warning("Job %s (%s) belongs to another worker by now.", job.id, job.kind)
        except SQLAlchemyError as error:  # the lease ends, and with it this try
            log.warning("Job %s (%s) cannot be ended: %s.", job.id, job.kind, type(error).__name__)
        finally:
            self._running.pop(job.id, None)

    def _carry_out(self, job: ClaimedJob, kind: Kind) -> None:
        if job.tries > kind.max_tries:
            in_transaction(partial(_park, job, "The worker ended each time it ran."))
            return
        try:
            self._run(job, kind)
        except LeaseLost:
            raise
        except Ended:
            return
        except Postponed as later:
            in_transaction(partial(job_queue.postpone, job, later.seconds))
        except Exception as error:
            log.exception("Job %s (%s) failed, try %s.", job.id, job.kind, job.tries)
            is_last = isinstance(error, NoRetry) or job.tries >= kind.max_tries
            _note_failure(job, describe(error), None if is_last else kind.pause(job.tries))

    def _run(self, job: ClaimedJob, kind: Kind) -> None:
        if kind.transactional:
            in_transaction(partial(_carry_out_and_complete, job, kind))
            return
        kind.carry_out(job)
        end_session()
        in_transaction(partial(job_queue.complete, job))

    def _beat_until(self, ended: threading.Event) -> None:
        self._beat()
        while not ended.wait(BEAT_SECONDS):
            self._beat()

    def _beat(self) -> None:
        for task in (self._renew_leases, self._make_scheduled_jobs, self._report):
            try:
                with self._app.app_context():
                    task()
            except SQLAlchemyError as error:
                log.warning("The worker cannot reach its jobs: %s.", type(error).__name__)
            except Exception:  # leases must be renewed whatever else fails
                log.exception("A task of the worker failed.")

    def _renew_leases(self) -> None:
        for job in list(self._running.values()):
            try:
                in_transaction(partial(job_queue.renew, job))
            except LeaseLost:  # it has ended a moment ago, or another worker has it
                continue

    def _make_scheduled_jobs(self) -> None:
        if self._stopping.is_set():
            return
        now = db.session.scalar(select(seconds_from_now(0))).timestamp()
        slots = {schedule.kind: schedule.slot(now) for schedule in self._schedules}
        new = {kind: slot for kind, slot in slots.items() if self._slots.get(kind) != slot}
        if new:
            in_transaction(
                lambda: [job_queue.enqueue(kind, slot_key(slot)) for kind, slot in new.items()]
            )
            self._slots.update(new)

    def _report(self) -> None:
        folder = Path(self._app.config["STATUS_FOLDER"])
        worker_status.write(folder, job_queue.figures())
        if self._health_file is not None:
            self._health_file.touch()


def describe(error: Exception) -> str:
    """An error in a line for staff. Of a database's error only its kind: its text holds values."""
    if isinstance(error, ShopError):
        return error.detail
    if isinstance(error, DBAPIError):
        return f"The database refused: {type(error.orig).__name__}."
    first_line = str(error).partition("\n")[0]
    return f"{type(error).__name__}: {first_line}"


def _carry_out_and_complete(job: ClaimedJob, kind: Kind) -> None:
    kind.carry_out(job)
    job_queue.complete(job)


def _note_failure(job: ClaimedJob, error: str, pause: float | None) -> None:
    if pause is None:
        in_transaction(partial(_park, job, error))
    else:
        in_transaction(partial(job_queue.retry, job, error, pause))


def _park(job: ClaimedJob, error: str) -> None:
    job_queue.park(job, error)
    mail_rules.queue_job_parked(job)

"""The worker: it carries out what is due, again what failed, and what is scheduled once a slot."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError

from app.config import ROOT
from app.db.moments import seconds_from_now
from app.db.unit_of_work import in_transaction
from app.errors import Conflict
from app.extensions import db
from app.jobs import KINDS, SCHEDULES, worker
from app.jobs.kinds import Kind, Schedule
from app.jobs.worker import Worker
from app.models import Job, LoginThrottle
from app.observability import metrics, task_status, worker_status
from app.services.accounts import throttle_service
from app.services.messages import job_queue
from tests.factories import count
from tests.integration.people import inside, only_row, rows
from tests.servers import PATIENCE


@pytest.fixture(autouse=True)
def status(app, tmp_path, monkeypatch):
    """The folder into which the worker reports."""
    monkeypatch.setitem(app.config, "STATUS_FOLDER", str(tmp_path))
    return tmp_path


def store(app, kind="mail", *keys, **options):
    inside(
        app,
        lambda: in_transaction(lambda: [job_queue.enqueue(kind, key, **options) for key in keys]),
    )


def drain(app, *kinds, schedules=()):
    Worker(app, kinds, schedules).drain()


@contextmanager
def serving(app, *kinds, threads=1, schedules=()):
    """A worker beside the test, until the end of the block."""
    working = Worker(app, kinds, schedules, threads)
    thread = threading.Thread(target=working.serve)
    thread.start()
    try:
        yield working
    finally:
        working.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "It did not come true."
        time.sleep(0.01)


def make_due(app):
    inside(app, lambda: in_transaction(lambda: db.session.execute(
        update(Job).where(Job.status == "waiting").values(due_at=seconds_from_now(0), leased_until=None)
    )))  # fmt: skip


def add_throttle(key="k"):
    """An effect in the database, to be counted."""
    db.session.add(LoginThrottle(key=key, failures=1, last_failed_at=throttle_service.utc_now()))
    db.session.flush()


def test_what_is_due_is_carried_out_and_what_that_makes_due_too(app):
    carried_out = []

    def carry_out(job):
        carried_out.append(job.key)
        if job.key == "1":
            in_transaction(lambda: job_queue.enqueue("mail", "2"))

    store(app, "mail", "1")
    store(app, "mail", "later", delay_seconds=60)
    drain(app, Kind("mail", carry_out))
    assert carried_out == ["1", "2"]
    assert [job.status for job in rows(app, Job)] == ["done", "waiting", "done"]


def test_a_failure_is_tried_again_later_and_parked_in_the_end(app):
    def refuse(_job):
        raise Conflict("closed", "The shop is closed.")

    store(app, "mail", "1")
    kind = Kind("mail", refuse, max_tries=2, first_pause=100.0)
    drain(app, kind)
    job = only_row(app, Job)
    assert (job.status, job.tries, job.error) == ("waiting", 1, "The shop is closed.")
    pause = job.due_at - inside(app, lambda: db.session.scalar(select(seconds_from_now(0))))
    assert 70 < pause.total_seconds() <= 120
    make_due(app)
    drain(app, kind)
    job = only_row(app, Job)
    assert (job.status, job.tries) == ("parked", 2)


def test_a_job_that_ends_its_worker_each_time_is_parked(app):
    store(app, "mail", "1")
    for _ in range(2):
        inside(app, lambda: in_transaction(lambda: job_queue.claim(["mail"])))  # and is gone
        make_due(app)
    drain(app, Kind("mail", lambda _job: pytest.fail("It is not begun again."), max_tries=2))
    assert only_row(app, Job).status == "parked"


def test_no_value_of_a_row_stands_in_an_error(app):
    def collide(_job):
        in_transaction(lambda: (add_throttle("ann@example.com"), add_throttle("ann@example.com")))

    store(app, "mail", "1")
    drain(app, Kind("mail", collide))
    error = only_row(app, Job).error
    assert error.startswith("The database refused: ")
    assert "ann" not in error


def test_effect_and_end_of_a_transactional_job_stand_or_fall_together(app, monkeypatch):
    store(app, "count", "1")
    kind = Kind("count", lambda _job: add_throttle(), transactional=True)
    with monkeypatch.context() as patch:
        patch.setattr(job_queue, "complete", lambda _job: 1 / 0)
        drain(app, kind)
    assert inside(app, count, LoginThrottle) == 0
    make_due(app)
    drain(app, kind)
    assert inside(app, count, LoginThrottle) == 1


def test_a_worker_that_lost_its_lease_changes_nothing(app):
    """It was stopped for longer than its lease, and another has carried the job out."""
    store(app, "count", "1")

    def be_overtaken(_job):
        add_throttle("late")
        job_queue.run(
            update(Job).values(tries=Job.tries + 1)
        )  # as another claim would, had it a connection of its own

    drain(app, Kind("count", be_overtaken, transactional=True))
    assert inside(app, count, LoginThrottle) == 0
    assert only_row(app, Job).status == "waiting"


def test_a_lease_is_renewed_while_the_job_runs(app, monkeypatch):
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.05)
    leases = []

    def take_long(_job):
        def lease():
            return inside(app, lambda: db.session.scalar(select(Job.leased_until)))

        leases.append(lease())
        until(lambda: lease() > leases[0])

    store(app, "mail", "1")
    drain(app, Kind("mail", take_long))
    assert only_row(app, Job).status == "done"


def test_as_many_jobs_run_as_there_are_threads(app):
    together = threading.Barrier(3)
    store(app, "mail", "1", "2", "3")
    with serving(app, Kind("mail", lambda _job: together.wait(PATIENCE) and None), threads=3):
        until(lambda: all(job.status == "done" for job in rows(app, Job)))


def test_a_stop_finishes_what_runs_and_begins_nothing(app):
    began, may_end = threading.Event(), threading.Event()

    def carry_out(_job):
        began.set()
        may_end.wait(PATIENCE)

    store(app, "mail", "1", "2")
    with serving(app, Kind("mail", carry_out)) as working:
        assert began.wait(PATIENCE)
        working.stop()
        may_end.set()
    assert sorted(job.status for job in rows(app, Job)) == ["done", "waiting"]


def test_a_worker_outlives_a_database_that_is_away(app, monkeypatch):
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0.01)
    failures = iter(range(3))
    is_any_due = job_queue.is_any_due

    def fail_at_first(kinds):
        if next(failures, None) is not None:
            raise OperationalError("SELECT", {}, Exception("away"))
        return is_any_due(kinds)

    monkeypatch.setattr(job_queue, "is_any_due", fail_at_first)
    store(app, "mail", "1")
    with serving(app, Kind("mail", lambda _job: None)):
        until(lambda: only_row(app, Job).status == "done")


def test_each_slot_of_a_schedule_is_carried_out_once_by_any_number_of_workers(app):
    carried_out = []
    kind, hourly = Kind("purge", lambda job: carried_out.append(job.key)), Schedule("purge", 3600)
    drain(app, kind, schedules=[hourly])
    drain(app, kind, schedules=[hourly])
    assert len(carried_out) == 1
    assert carried_out[0].endswith(":00:00.000Z")


def test_a_failure_beside_the_jobs_ends_the_worker_instead_of_a_thread(app, monkeypatch):
    """Else it would seem to be well, and carry out nothing."""
    monkeypatch.setattr(job_queue, "is_any_due", lambda _kinds: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        Worker(app, [Kind("mail", lambda _job: None)], (), threads=2).serve()


def test_leases_are_renewed_although_the_health_file_cannot_be_written(app, monkeypatch, tmp_path):
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.05)
    store(app, "mail", "1")
    beats = []

    def take_long(_job):
        renew = job_queue.renew
        monkeypatch.setattr(job_queue, "renew", lambda job: (beats.append(1), renew(job)))
        until(lambda: len(beats) > 2)

    kind = Kind("mail", take_long)
    Worker(app, [kind], (), health_file=tmp_path / "missing" / "file").drain()
    assert only_row(app, Job).status == "done"


def test_slots_are_counted_from_the_epoch():
    hourly = Schedule("purge", 3600)
    assert [hourly.slot(second) for second in (0, 3599.9, 3600, 7300)] == [0, 0, 3600, 7200]


@pytest.mark.parametrize(("tries", "seconds"), [(1, 5), (2, 10), (4, 40), (11, 3600), (5000, 3600)])
def test_pauses_double_up_to_the_longest_and_spread(tries, seconds):
    kind = Kind("mail", lambda _job: None)
    pauses = [kind.pause(tries) for _ in range(50)]
    assert 0.8 * seconds <= min(pauses) < max(pauses) <= 1.2 * seconds


def test_the_shops_upkeep_runs_as_jobs_and_tells_how_it_ended(app, status):
    old = seconds_from_now(-400 * 86_400)
    inside(app, lambda: in_transaction(add_throttle))
    inside(
        app,
        lambda: in_transaction(
            lambda: db.session.execute(update(LoginThrottle).values(last_failed_at=old))
        ),
    )
    drain(app, *KINDS, schedules=SCHEDULES)
    assert {(job.kind, job.status) for job in rows(app, Job)} == {
        ("purge", "done"),
        ("audit", "done"),
    }
    assert inside(app, count, LoginThrottle) == 0
    for task in ("purge", "audit"):
        assert task_status.read(status, task).succeeded_at > 0


def test_an_audit_that_finds_something_is_parked_for_staff(app, status, monkeypatch):
    monkeypatch.setattr("app.services.audit.books.violations", lambda: iter(["one", "two"]))
    drain(app, *KINDS, schedules=SCHEDULES)
    (job,) = (job for job in rows(app, Job) if job.kind == "audit")
    assert job.status == "parked"
    assert "2 violations" in job.error
    audit = task_status.read(status, "audit")
    assert (audit.failed, audit.value) == (True, 2)


def test_metrics_show_the_jobs_as_the_last_worker_saw_them(app, status, monkeypatch):
    monkeypatch.setattr(worker, "BEAT_SECONDS", 0.01)
    store(app, "other", "1")
    assert b"shop_worker_report_timestamp_seconds 0.0" in metrics.report(status)
    with serving(app, Kind("mail", lambda _job: None)):
        until(lambda: worker_status.read(status).kinds)
    report = metrics.report(status).decode()
    assert 'shop_jobs{kind="other",state="due"} 1.0' in report
    assert 'shop_jobs{kind="other",state="parked"} 0.0' in report
    assert 'shop_jobs_oldest_seconds{kind="other"}' in report
    assert "shop_worker_report_timestamp_seconds 0.0" not in report


@pytest.mark.processes
def test_the_command_serves_until_it_is_told_to_stop(app, environ):
    command = [sys.executable, "-m", "flask", "--app", "manage", "work", "--threads", "2"]
    with subprocess.Popen(command, env={**os.environ, **environ}, cwd=ROOT) as process:
        try:
            until(
                lambda: (
                    {j.kind for j in rows(app, Job) if j.status == "done"} == {"purge", "audit"}
                ),
                60,
            )
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()
    assert {job.status for job in rows(app, Job)} == {"done"}


def test_the_command_does_what_is_due_and_ends(app):
    result = app.test_cli_runner().invoke(args=["work", "--once"])
    assert result.exit_code == 0, result.output
    assert {(job.kind, job.status) for job in rows(app, Job)} == {
        ("purge", "done"),
        ("audit", "done"),
    }

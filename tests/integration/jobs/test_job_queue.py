"""The queue of jobs: stored once, claimed by one, given to another when its worker is gone."""

import threading
from collections import Counter
from functools import partial

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import IntegrityError

from app.db.moments import seconds_from_now
from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.errors import NotFound
from app.extensions import db
from app.models import AuditEvent, Job
from app.services.messages import job_queue
from app.services.messages.job_queue import LeaseLost
from app.services.operations import purge_service
from tests.factories import count
from tests.integration.people import at_once, inside

KINDS = ("mail", "webhook")


@pytest.fixture
def queue(app):
    """The shop's context, in which each call is a transaction of its own."""
    with app.app_context():
        yield lambda work, *arguments: in_transaction(lambda: work(*arguments))


def let_lease_end(job):
    db.session.execute(
        update(Job)
        .where(Job.id == job.id)
        .values(due_at=seconds_from_now(-1), leased_until=seconds_from_now(-1))
    )


def row(job):
    return db.session.get(Job, job.id, populate_existing=True)


def test_a_job_is_given_to_one_and_ends(queue):
    assert queue(job_queue.enqueue, "mail", "order 1", {"order": 1})
    job = queue(job_queue.claim, KINDS)
    assert (job.kind, job.key, job.body, job.tries) == ("mail", "order 1", {"order": 1}, 1)
    assert queue(job_queue.claim, KINDS) is None
    queue(job_queue.complete, job)
    assert (row(job).status, row(job).leased_until) == ("done", None)
    assert queue(job_queue.claim, KINDS) is None


def test_a_key_is_carried_out_once_even_after_its_end(queue):
    assert queue(job_queue.enqueue, "mail", "order 1", {"order": 1})
    assert not queue(job_queue.enqueue, "mail", "order 1", {"order": 2})
    assert queue(job_queue.enqueue, "webhook", "order 1")
    job = queue(job_queue.claim, ["mail"])
    queue(job_queue.complete, job)
    assert not queue(job_queue.enqueue, "mail", "order 1")
    assert row(job).body == {"order": 1}


def test_a_job_of_a_change_that_was_rolled_back_does_not_exist(queue):
    def fail():
        job_queue.enqueue("mail", "order 1")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        queue(fail)
    assert count(Job) == 0


def test_the_oldest_due_comes_first_and_later_ones_wait(queue):
    for key, delay in (("later", 60), ("second", -5), ("first", -10)):
        queue(job_queue.enqueue, "mail", key, {}, delay)
    assert [queue(job_queue.claim, KINDS).key for _ in range(2)] == ["first", "second"]
    assert not job_queue.is_any_due(KINDS)
    assert queue(job_queue.claim, KINDS) is None


def test_kinds_that_this_release_does_not_know_are_left_alone(queue):
    queue(job_queue.enqueue, "mail", "1")
    assert not job_queue.is_any_due(["webhook"])
    assert queue(job_queue.claim, ["webhook"]) is None
    assert job_queue.is_any_due(["mail"])


def test_a_job_whose_worker_is_gone_is_given_to_another(queue):
    queue(job_queue.enqueue, "mail", "1")
    first = queue(job_queue.claim, KINDS)
    queue(let_lease_end, first)
    second = queue(job_queue.claim, KINDS)
    assert (second.id, second.tries) == (first.id, 2)
    for end in (job_queue.complete, job_queue.renew):
        with pytest.raises(LeaseLost):
            queue(end, first)
    for end in (job_queue.retry, job_queue.park):
        with pytest.raises(LeaseLost):
            queue(end, first, "too late", *([1.0] if end is job_queue.retry else []))
    assert (row(second).status, row(second).error) == ("waiting", None)
    queue(job_queue.complete, second)
    with pytest.raises(LeaseLost):
        queue(job_queue.complete, second)


def test_lease_and_try_are_written_before_the_work(queue):
    queue(job_queue.enqueue, "mail", "1")
    job = queue(job_queue.claim, KINDS)
    db.session.remove()  # the worker's process is gone
    stored = row(job)
    assert stored.tries == 1
    now = db.session.scalar(db.select(seconds_from_now(0)))
    assert 0 < (stored.leased_until - now).total_seconds() <= job_queue.LEASE_SECONDS
    assert stored.due_at == stored.leased_until


def test_a_renewed_lease_begins_anew(queue):
    queue(job_queue.enqueue, "mail", "1")
    job = queue(job_queue.claim, KINDS)
    before = row(job).leased_until
    queue(let_lease_end, job)
    queue(job_queue.renew, job)  # nobody else has claimed it meanwhile
    assert row(job).leased_until >= before
    assert queue(job_queue.claim, KINDS) is None
    queue(job_queue.complete, job)


def test_a_failure_waits_and_keeps_its_reason(queue):
    queue(job_queue.enqueue, "mail", "1")
    job = queue(job_queue.claim, KINDS)
    queue(job_queue.retry, job, "x" * 5000, 60.0)
    stored = row(job)
    assert (stored.status, stored.leased_until, stored.error) == ("waiting", None, "x" * 2000)
    assert queue(job_queue.claim, KINDS) is None
    figures = job_queue.figures()["mail"]
    assert (figures.due, figures.running, figures.later, figures.parked) == (0, 0, 1, 0)


def test_staff_run_a_parked_job_again_or_drop_it(queue):
    for key in ("1", "2"):
        queue(job_queue.enqueue, "mail", key)
        queue(job_queue.park, queue(job_queue.claim, KINDS), "refused")
    newest, oldest = job_queue.list_parked(10)
    assert (newest.key, oldest.key, oldest.error) == ("2", "1", "refused")
    staff = Actor("admin", 1)
    queue(job_queue.run_again, staff, oldest.id)
    queue(job_queue.drop, staff, newest.id)
    for missing in (oldest.id, newest.id, 0, 2**63):
        with pytest.raises(NotFound):
            queue(job_queue.run_again, staff, missing)
        with pytest.raises(NotFound):
            queue(job_queue.drop, staff, missing)
    actions = db.session.scalars(db.select(AuditEvent.action).order_by(AuditEvent.id)).all()
    assert actions == ["job.run_again", "job.dropped"]
    assert queue(job_queue.claim, KINDS).tries == 1
    assert not queue(job_queue.enqueue, "mail", "2")


def test_figures_tell_what_waits_for_what(queue):
    for key, delay in (("running", -50), ("parked", -40), ("due", -30), ("later", 60)):
        queue(job_queue.enqueue, "mail", key, {}, delay)
    queue(job_queue.claim, KINDS)
    queue(job_queue.park, queue(job_queue.claim, KINDS), "refused")
    figures = job_queue.figures()
    assert list(figures) == ["mail"]
    due, running, later, parked, oldest = figures["mail"]
    assert (due, running, later, parked) == (1, 1, 1, 1)
    assert 29 < oldest < 90


def test_jobs_that_are_done_go_after_their_time_and_others_never(queue):
    for key in ("done", "parked", "new"):
        queue(job_queue.enqueue, "mail", key)
    queue(job_queue.complete, queue(job_queue.claim, KINDS))
    queue(job_queue.park, queue(job_queue.claim, KINDS), "refused")
    rows = next(r for r in purge_service.expired_rows(30, 90) if r.table is Job)
    assert purge_service.count(rows) == 0
    old = seconds_from_now(-job_queue.STORED_SECONDS - 60)
    queue(db.session.execute, update(Job).where(Job.ended_at.is_not(None)).values(ended_at=old))
    assert queue(purge_service.remove_batch, rows, 0)
    assert {job.key for job in db.session.scalars(db.select(Job))} == {"parked", "new"}


@pytest.mark.parametrize(
    "values",
    [
        {"status": "lost"},
        {"tries": -1},
        {"status": "done"},
        {"ended_at": seconds_from_now(0)},
        {"status": "parked", "ended_at": seconds_from_now(0), "leased_until": seconds_from_now(9)},
    ],
)
def test_the_database_refuses_states_that_no_job_has(queue, values):
    queue(job_queue.enqueue, "mail", "1")
    with pytest.raises(IntegrityError):
        queue(db.session.execute, update(Job).values(values))


@pytest.mark.races
def test_eight_that_claim_at_once_get_different_jobs(app):
    with app.app_context():
        in_transaction(lambda: [job_queue.enqueue("mail", str(n)) for n in range(40)])
    claimed, lock = [], threading.Lock()

    def work():
        while True:
            job = in_transaction(lambda: job_queue.claim(KINDS))
            if job is None:
                return
            with lock:
                claimed.append(job.key)
            in_transaction(lambda: job_queue.complete(job))  # noqa: B023 - called at once

    at_once([partial(inside, app, work)] * 8)
    assert Counter(claimed) == dict.fromkeys(map(str, range(40)), 1)


@pytest.mark.races
def test_eight_that_store_one_key_at_once_store_one_job(app):
    results = at_once(
        [partial(inside, app, lambda: in_transaction(lambda: job_queue.enqueue("mail", "one")))] * 8
    )
    assert sorted(results) == [False] * 7 + [True]


@pytest.mark.only_on("postgresql")
def test_claiming_reads_the_index_of_what_is_due(queue):
    db.session.connection()
    statements = []
    event.listen(db.engine, "before_cursor_execute", lambda *a: statements.append((a[2], a[3])))
    in_transaction(
        lambda: db.session.execute(
            db.text(
                "INSERT INTO jobs (kind, key, created_at, due_at, status, ended_at)"
                " SELECT 'mail', n::text, now(), now(), 'done', now() FROM generate_series(1, 5000) n"
            )
        )
    )
    statements.clear()
    queue(job_queue.claim, KINDS)
    (statement, parameters) = next(s for s in statements if "UPDATE jobs" in s[0])
    with db.engine.connect() as connection:
        connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars())
    assert "ix_jobs_due_at_id" in plan

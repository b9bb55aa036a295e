"""The queue of jobs: work that must not be lost, stored as rows and carried out by workers.

Problem: a process can die at any moment. What it held in memory is lost; what it had begun may be
half done. Measured with task queues on Redis, a worker that was killed lost its task or got it back
after minutes to an hour.

Solution: `enqueue` writes a row in the transaction of the change that makes the work necessary, so
that either both stand or neither. `claim` gives a due job to one worker for a limited time, the lease,
and writes lease and number of the try before the work begins. The worker renews the lease while it
works, and ends the job with `complete`, `retry` or `park`. If it dies, the lease ends and another
worker claims the job. A worker that was only slow can no longer end it: `tries` has moved on.

What is promised: each job is carried out at least once. A job that changes nothing but the database
is completed in the transaction of its change, and so carried out exactly once.

Simpler but wrong: to delete the row before the work (lost if the worker dies), to hold it locked
during the work (a transaction as long as a mail server is slow), or to compare times of several
machines (a worker whose clock is fast would take jobs from others).
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Executable,
    Float,
    and_,
    bindparam,
    case,
    exists,
    func,
    select,
    update,
)

from app.db.moments import seconds_from_now
from app.db.prepared import run, upsert
from app.domain.people.actor import Actor
from app.errors import NotFound
from app.extensions import db
from app.models import Job
from app.observability.worker_status import KindFigures
from app.services.audit import trail

LEASE_SECONDS = 30
"""How long a job belongs to a worker that does not renew its lease."""
STORED_SECONDS = 8 * 86_400
"""How long a job that is done stays, and with it its key. Longer than any time after which the same
occasion can come again, such as a slot of a schedule."""
MAX_ERROR = 2_000
"""Characters of an error that are stored."""


class ClaimedJob(NamedTuple):
    """A job that belongs to this worker until its lease ends."""

    id: int
    kind: str
    key: str
    body: dict[str, Any]
    tries: int
    """The number of this try, from 1."""


class LeaseLost(Exception):
    """The job belongs to another worker by now, or has ended: this try must change nothing."""


def enqueue(
    kind: str, key: str, body: Mapping[str, Any] | None = None, delay_seconds: float = 0
) -> bool:
    """Store a job; whether it is new. A job of this kind and key is stored once, also after its end."""
    return (
        run(_ENQUEUE, kind=kind, key=key, body=dict(body or {}), delay=delay_seconds).first()
        is not None
    )


def wake(kind: str, key: str, body: Mapping[str, Any], is_urgent: bool = False) -> None:
    """Store a job that looks for its work itself, or make it due again if it has ended.

    One that waits for its time stays as it is, unless it `is_urgent`; so does a parked one. The job has
    to end in a transaction that sees there is no work, under a lock that whoever stores work holds.
    """
    run(_ENQUEUE, kind=kind, key=key, body=dict(body), delay=0.0)
    may_change = Job.status == "done"
    if is_urgent:
        may_change |= and_(Job.status == "waiting", Job.leased_until.is_(None))
    now = seconds_from_now(0)
    db.session.execute(
        update(Job)
        .where(Job.kind == kind, Job.key == key, may_change)
        .values(status="waiting", ended_at=None, error=None, tries=0, due_at=now),
        execution_options={"synchronize_session": False},
    )


def is_any_due(kinds: Collection[str]) -> bool:
    """Whether `claim` would probably find a job. Reads only, so it takes no turn among writers."""
    return bool(db.session.scalar(select(exists().where(_is_due(kinds)))))


def claim(kinds: Collection[str]) -> ClaimedJob | None:
    """Lease the job of these kinds that has been due for longest; None where none is due.

    Workers pass over jobs that another is just claiming. Kinds that this program does not know stay
    for workers of another release.
    """
    first = (
        select(Job.id)
        .where(_is_due(kinds))
        .order_by(Job.due_at, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        # As a CTE it runs once; a subquery could run, and lock other rows, for each row.
        .cte("first")
    )
    lease = seconds_from_now(LEASE_SECONDS)
    row = db.session.execute(
        update(Job)
        .where(Job.id.in_(select(first.c.id)))
        .values(tries=Job.tries + 1, leased_until=lease, due_at=lease)
        .returning(Job.id, Job.kind, Job.key, Job.body, Job.tries)
        .execution_options(synchronize_session=False)
    ).first()
    return ClaimedJob._make(row) if row else None


def renew(job: ClaimedJob) -> None:
    """Begin the lease of a running job anew.

    Raises:
        LeaseLost: the job belongs to another worker, or has ended.
    """
    lease = seconds_from_now(LEASE_SECONDS)
    _change(job, leased_until=lease, due_at=lease)


def complete(job: ClaimedJob) -> None:
    """End a job that is carried out.

    Raises:
        LeaseLost: the job belongs to another worker, or has ended.
    """
    _change(job, status="done", leased_until=None, ended_at=seconds_from_now(0), error=None)


def retry(job: ClaimedJob, error: str, pause_seconds: float) -> None:
    """Carry a job out again after a pause.

    Raises:
        LeaseLost: the job belongs to another worker, or has ended.
    """
    due = seconds_from_now(pause_seconds)
    _change(job, leased_until=None, due_at=due, error=error[:MAX_ERROR])


def postpone(job: ClaimedJob, pause_seconds: float) -> None:
    """Carry a job out after a pause, as if it had not been begun: this try does not count.

    Raises:
        LeaseLost: the job belongs to another worker, or has ended.
    """
    due = seconds_from_now(pause_seconds)
    _change(job, leased_until=None, due_at=due, tries=Job.tries - 1)


def park(job: ClaimedJob, error: str) -> None:
    """Leave a job to staff, who can run it again or drop it.

    Raises:
        LeaseLost: the job belongs to another worker, or has ended.
    """
    now = seconds_from_now(0)
    _change(job, status="parked", leased_until=None, ended_at=now, error=error[:MAX_ERROR])


def is_running(kind: str, key: str) -> bool:
    """Whether a worker has leased this job."""
    query = exists().where(
        Job.kind == kind, Job.key == key, Job.status == "waiting",
        Job.leased_until > seconds_from_now(0),
    )  # fmt: skip
    return bool(db.session.scalar(select(query)))


def list_parked(limit: int) -> Sequence[Job]:
    """The jobs that were parked last, newest first."""
    query = select(Job).where(Job.status == "parked")
    return db.session.scalars(query.order_by(Job.ended_at.desc(), Job.id.desc()).limit(limit)).all()


def run_again(actor: Actor, job_id: int) -> None:
    """Make a parked job due now, with all its tries before it.

    Raises:
        NotFound: there is no such job, or it is not parked.
    """
    now = seconds_from_now(0)
    _change_parked(job_id, status="waiting", ended_at=None, tries=0, due_at=now)
    trail.record(actor, "job.run_again", job_id, {"status": "parked"}, {"status": "waiting"})


def drop(actor: Actor, job_id: int) -> None:
    """End a parked job that shall not be carried out. Its key stays in use.

    Raises:
        NotFound: there is no such job, or it is not parked.
    """
    _change_parked(job_id, status="done", ended_at=seconds_from_now(0))
    trail.record(actor, "job.dropped", job_id, {"status": "parked"}, {"status": "done"})


def figures() -> dict[str, KindFigures]:
    """The figures of each kind that has jobs waiting or parked."""
    waiting, now = Job.status == "waiting", seconds_from_now(0)
    is_running = and_(waiting, func.coalesce(Job.leased_until > now, False))
    is_due = and_(waiting, Job.due_at <= now)
    query = select(
        Job.kind,
        _count(is_due).label("due"),
        _count(is_running).label("running"),
        _count(and_(waiting, ~is_due, ~is_running)).label("later"),
        _count(Job.status == "parked").label("parked"),
        func.min(case((is_due, Job.due_at))).label("due_since"),
        now.label("now"),
    ).where(Job.status != "done")
    return {
        row.kind: KindFigures(
            row.due, row.running, row.later, row.parked,
            (row.now - row.due_since).total_seconds() if row.due_since else 0.0,
        )
        for row in db.session.execute(query.group_by(Job.kind))
    }  # fmt: skip


def expired() -> ColumnElement[bool]:
    """The condition of jobs that are done for STORED_SECONDS and may be removed."""
    return and_(Job.status == "done", Job.ended_at < seconds_from_now(-STORED_SECONDS))


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def _is_due(kinds: Collection[str]) -> ColumnElement[bool]:
    return and_(
        Job.status == "waiting", Job.due_at <= seconds_from_now(0), Job.kind.in_(sorted(kinds))
    )


def _change(job: ClaimedJob, **values: object) -> None:
    is_this_try = and_(Job.id == job.id, Job.tries == job.tries, Job.status == "waiting")
    statement = update(Job).where(is_this_try, Job.leased_until.is_not(None)).values(values)
    statement = statement.returning(Job.id).execution_options(synchronize_session=False)
    if db.session.scalar(statement) is None:
        raise LeaseLost()


def _change_parked(job_id: int, **values: object) -> None:
    parked = update(Job).where(Job.id == job_id, Job.status == "parked").values(values)
    statement = parked.returning(Job.id).execution_options(synchronize_session=False)
    if not 0 < job_id < 2**63 or db.session.scalar(statement) is None:
        raise NotFound("job")


def _enqueue_statement(insert_into: Any) -> Executable:
    statement = insert_into(Job).values(
        kind=bindparam("kind"),
        key=bindparam("key"),
        body=bindparam("body", type_=Job.body.type),
        created_at=seconds_from_now(0),
        due_at=seconds_from_now(bindparam("delay", type_=Float())),
    )
    unique: Executable = statement.on_conflict_do_nothing(index_elements=["kind", "key"]).returning(
        Job.id
    )
    return unique


_ENQUEUE = upsert(_enqueue_statement)

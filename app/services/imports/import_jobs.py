"""Uploaded product lists, checked and taken in batch by batch, without a queue of jobs.

The page of a job that runs asks for a few seconds of work at a time: batches, each a transaction of
its own that moves the job's cursor too. The job's row is locked meanwhile, so that two who ask take
turns; and whoever comes back after a break, goes on where the last batch ended.
"""

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import undefer

from app.db.cleanup import sweep
from app.db.unit_of_work import after_commit
from app.domain.catalogue.csv_rows import NotAProductList, ProductList, open_text
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import AuditEvent, ImportJob
from app.observability import metrics
from app.services.catalogue import category_paths
from app.services.imports import import_service, import_undo
from app.services.imports.import_articles import Article, Sheet
from app.services.imports.import_service import Outcome, Rehearsal, Work
from app.services.imports.import_undo import Undo, Undone

BATCH = 1000
"""Rows a transaction."""
KEPT = timedelta(days=7)
"""How long a job is remembered after its last step."""
TOLD = 200
"""How many refused rows a report names; it counts them all."""
REHEARSED = 5
"""How many batches of events a preview of an undo reads."""
SHOWN = 50
"""How many rows that would change something a preview shows."""


@dataclass(frozen=True)
class Source:
    """A job's file as it is worked on, read once for many batches."""

    lines: list[str]
    repeated: frozenset[str] = frozenset()


def read(data: bytes, currency: str) -> tuple[ProductList, Source]:
    """An uploaded file, with its header read and all rows counted.

    Raises:
        Invalid: on `file`, where it is no product list.
    """
    if not data:
        raise Invalid({"file": ["Choose a file that is not empty."]})
    lines = _lines(data)
    try:
        listing = ProductList(lines, currency)
    except NotAProductList as error:
        raise Invalid({"file": [str(error)]}) from None
    return listing, Source(lines, frozenset(listing.repeated()))


def begin(actor: Actor, name: str, data: bytes, listing: ProductList, source: Source) -> ImportJob:
    """Store an uploaded file, to be checked; jobs that nobody wants any more are forgotten."""
    sweep(ImportJob, ImportJob.updated_at < utc_now() - KEPT)
    job = ImportJob(
        user_id=actor.user_id,
        name="".join(filter(str.isprintable, name))[-200:] or "unnamed",
        size=len(data),
        lines=len(source.lines),
        file=data,
        repeated=sorted(source.repeated),
        preview={"unknown": listing.unknown},
    )
    db.session.add(job)
    db.session.flush()
    return job


def get(job_id: int) -> ImportJob:
    """A job as it stands.

    Raises:
        NotFound: there is none, or it is forgotten by now.
    """
    return _one(select(ImportJob), job_id)


def latest(count: int) -> Sequence[ImportJob]:
    """The newest jobs first."""
    return db.session.scalars(select(ImportJob).order_by(ImportJob.id.desc()).limit(count)).all()


def start(actor: Actor, job_id: int) -> ImportJob:
    """Have a checked list taken in; it says so once, however often it is asked.

    Raises:
        NotFound
    """
    job = _locked(job_id)
    if job.status == "checked":
        job.status, job.line, job.user_id = "importing", 0, actor.user_id
        job.report = {"oldest": (db.session.scalar(select(func.max(AuditEvent.id))) or 0) + 1}
    db.session.flush()
    return job


def undo_step(actor: Actor, job_id: int) -> ImportJob:
    """Put back the next part of what a finished import changed; nothing once all of it is.

    Raises:
        NotFound
    """
    job = _locked(job_id)
    if not job.can_be_undone:
        return job
    so_far = Undone(**job.report.get("undo", {}))
    done = import_undo.step(actor, _undo(job), so_far)
    job.report = {**job.report, "undo": asdict(done)}
    job.updated_at = utc_now()
    db.session.flush()
    return job


def rehearse_undo(job: ImportJob) -> Undone:
    """What undoing a finished import would put back, told from its newest events; changes nothing."""
    undo, total = _undo(job), Undone()
    for _ in range(REHEARSED):
        total = import_undo.rehearse(undo, total)
        if total.is_done:
            break
    return total


def _undo(job: ImportJob) -> Undo:
    return Undo(str(job.id), job.report["oldest"])


def source_of(job_id: int) -> Source:
    """The file of a job that is under way."""
    options = undefer(ImportJob.file), undefer(ImportJob.repeated)
    job = _one(select(ImportJob).options(*options), job_id)
    return Source(_lines(job.file or b""), frozenset(job.repeated))


def step(job_id: int, source: Source, currency: str) -> ImportJob:
    """Do the next batch; nothing where the job waits for somebody, or is done.

    Raises:
        NotFound
    """
    job = _locked(job_id)
    if not job.is_running:
        return job
    listing = ProductList(source.lines, currency, start=job.line)
    rows = list(islice(listing, BATCH))
    if job.status == "checking":
        job.preview = _check(job, source, rows)
    else:
        outcome = import_service.sort_out(rows, _import(job))
        job.report = _counted(job.report, outcome)
        after_commit(lambda: metrics.rows_imported(_figures(outcome)))
        if job.line == 0:  # or all that follow were planned for no rows
            import_service.settle()
    job.line, job.updated_at = listing.next_line, utc_now()
    if len(rows) < BATCH:
        _end(job)
    db.session.flush()
    return job


def _lines(data: bytes) -> list[str]:
    return list(open_text(io.BytesIO(data)))


def _one(query: Select[Any], job_id: int) -> ImportJob:
    job: ImportJob | None = None
    if 0 < job_id < 2**63:
        fresh = query.where(ImportJob.id == job_id).execution_options(populate_existing=True)
        job = db.session.scalar(fresh)
    if job is None:
        raise NotFound("import")
    return job


def _locked(job_id: int) -> ImportJob:
    return _one(select(ImportJob).with_for_update(), job_id)


def _end(job: ImportJob) -> None:
    job.status = "checked" if job.status == "checking" else "done"
    job.memory = {}
    after_commit(partial(metrics.import_ended, job.status))
    if job.status == "done":
        job.file, job.repeated = None, []
        import_service.settle()


def _import(job: ImportJob) -> Work:
    """The trail names who had it taken in, whoever lends it the time."""
    actor = Actor("admin", job.user_id, door="pages")
    return lambda rows: import_service.import_rows(actor, rows, str(job.id))


def _check(job: ImportJob, source: Source, rows: Sequence[Any]) -> dict[str, Any]:
    told = job.preview.get("samples", [])
    rehearsal = _remembered(job.memory)
    rehearsal.room = SHOWN - len(told)
    outcome = import_service.sort_out(rows, lambda rows: import_service.rehearse(rows, rehearsal))
    job.memory = _memory(rehearsal, source)
    samples = [*told, *map(asdict, rehearsal.samples)]
    return {**_counted(job.preview, outcome), "samples": samples}


def _remembered(memory: dict[str, Any]) -> Rehearsal:
    articles = {
        sku: Article(**{**facts, "sheet": Sheet(**facts["sheet"])})
        for sku, facts in memory.get("articles", {}).items()
    }
    tree = category_paths.load()
    for path in memory.get("planned", ()):
        tree.find_or_plan(tuple(path), None)
    return Rehearsal(articles, tree)


def _memory(rehearsal: Rehearsal, source: Source) -> dict[str, Any]:
    """What later rows need to know: categories to be made, and articles that come again."""
    again = {
        sku: asdict(article)
        for sku, article in rehearsal.articles.items()
        if sku in source.repeated
    }
    tree = rehearsal.tree
    planned = [tree.written[planned_id] for planned_id, *_rest in tree.to_make] if tree else []
    return {"articles": again, "planned": planned}


def _counted(before: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    told = before.get("told", [])
    more = [[row.line, row.reason] for row in outcome.refused]
    summed = {name: before.get(name, 0) + figure for name, figure in _figures(outcome).items()}
    stayed = Counter(before.get("stayed", {})) + outcome.stayed
    return {**before, **summed, "told": [*told, *more][:TOLD], "stayed": stayed}


def _figures(outcome: Outcome) -> dict[str, int]:
    return {
        "created": outcome.created,
        "updated": outcome.updated,
        "unchanged": outcome.unchanged,
        "categories": outcome.categories,
        "refused": len(outcome.refused),
    }

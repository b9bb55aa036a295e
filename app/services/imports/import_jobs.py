"""Product lists that staff upload: checked and imported batch by batch.

The worker does the batches. While no worker has the job, the page of a running import does a few
seconds of them at a time. Each batch is a transaction of its own, which also moves the job's `line` to
the next row. It locks the job's row, so that all who work on it take turns, and continue where the last
batch ended.
"""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from typing import Any, cast

from sqlalchemy import Select, func, select
from sqlalchemy.orm import undefer

from app.db.cleanup import delete_batch
from app.db.unit_of_work import after_commit
from app.domain.catalogue.csv_lines import open_text
from app.domain.catalogue.csv_rows import BadRow, ImportRow, NotAProductList, ProductList
from app.domain.clock import rfc3339, utc_now
from app.domain.people.actor import Actor
from app.errors import Invalid, NotFound
from app.extensions import db
from app.models import AuditEvent, ImportJob
from app.models.imports import ImportReport, JobMemory
from app.observability import metrics
from app.services.catalogue import category_paths
from app.services.catalogue.category_paths import AmbiguousCategory
from app.services.imports import import_service, import_undo
from app.services.imports.import_service import DryRun, Outcome
from app.services.imports.import_undo import ImportUndo, UndoProgress
from app.services.messages import job_queue

KIND = "import"
"""The kind of the worker's jobs."""
BATCH = 1000
"""Rows a transaction."""
MAX_LINES = 500_000
"""Of an uploaded file. They are read in one request, so a file of ten million short lines would keep a
server busy for many seconds."""
RETENTION = timedelta(days=7)
"""How long a job is stored after its last step."""
MAX_REFUSALS = 200
"""How many refused rows a report names; it counts them all."""
PREVIEW_BATCHES = 5
"""How many batches of events a preview of an undo reads."""
MAX_SAMPLES = 50
"""How many rows that would change something a preview shows."""


@dataclass(frozen=True)
class Source:
    """The lines of a job's file, and of the SKUs of several rows the line of the first; read once for
    many batches."""

    lines: list[str]
    first_lines: Mapping[str, int]


def read(data: bytes, currency: str) -> tuple[ProductList, Source]:
    """An uploaded file, with its header read and all rows counted.

    Raises:
        Invalid: on `file`, where it is no product list, or has more than MAX_LINES lines.
    """
    if not data:
        raise Invalid({"file": ["Choose a file that is not empty."]})
    lines = _lines(data, MAX_LINES + 1)
    if len(lines) > MAX_LINES:
        detail = f"At most {MAX_LINES:,} lines. For larger files use the command import-products."
        raise Invalid({"file": [detail]})
    try:
        products = ProductList(lines, currency)
    except NotAProductList as error:
        raise Invalid({"file": [str(error)]}) from None
    return products, Source(lines, products.repeated())


def begin(actor: Actor, name: str, data: bytes, products: ProductList, source: Source) -> ImportJob:
    """Store an uploaded file, to be checked, and delete jobs that are past RETENTION."""
    delete_batch(ImportJob, ImportJob.updated_at < utc_now() - RETENTION)
    job = ImportJob(
        user_id=actor.user_id,
        name="".join(filter(str.isprintable, name))[-200:] or "unnamed",
        size=len(data),
        lines=len(source.lines),
        file=data,
        repeated=dict(source.first_lines),
        preview={"unknown": products.unknown},
    )
    db.session.add(job)
    db.session.flush()
    _enqueue(job)
    return job


def get(job_id: int) -> ImportJob:
    """A job. Raises NotFound, also where it has been deleted."""
    return _one(select(ImportJob), job_id)


def latest(count: int) -> Sequence[ImportJob]:
    """The newest jobs first."""
    return db.session.scalars(select(ImportJob).order_by(ImportJob.id.desc()).limit(count)).all()


def start(actor: Actor, job_id: int) -> ImportJob:
    """Begin to import a checked list; nothing for any other job. Raises NotFound."""
    job = _locked(job_id)
    if job.status == "checked":
        job.status, job.line, job.user_id = "importing", 0, actor.user_id
        job.report = {"oldest": (db.session.scalar(select(func.max(AuditEvent.id))) or 0) + 1}
        _enqueue(job)
    db.session.flush()
    return job


def undo_step(actor: Actor, job_id: int) -> ImportJob:
    """Put back the next part of what a finished import changed, if any is left. Raises NotFound."""
    job = _locked(job_id)
    if not job.can_be_undone:
        return job
    progress = import_undo.step(actor, _undo(job), UndoProgress(**job.report.get("undo", {})))
    job.report = {**job.report, "undo": asdict(progress)}
    job.updated_at = utc_now()
    db.session.flush()
    return job


def preview_undo(job: ImportJob) -> UndoProgress:
    """What undoing a finished import would put back, judged by its newest events."""
    undo, progress = _undo(job), UndoProgress()
    for _ in range(PREVIEW_BATCHES):
        progress = import_undo.preview_step(undo, progress)
        if progress.is_done:
            break
    return progress


def _undo(job: ImportJob) -> ImportUndo:
    return ImportUndo(str(job.id), job.report["oldest"])


def source_of(job_id: int) -> Source:
    """The file of a running job."""
    options = undefer(ImportJob.file), undefer(ImportJob.repeated)
    job = _one(select(ImportJob).options(*options), job_id)
    lines = _lines(job.file or b"")
    # A server of the previous release has stored a list of SKUs.
    first_lines = cast("dict[str, int] | list[str]", job.repeated)
    if isinstance(first_lines, list):
        first_lines = ProductList(lines, "").repeated()
    return Source(lines, first_lines)


def step(job_id: int, source: Source, currency: str) -> ImportJob:
    """Do the next batch of a running job; nothing of any other. Raises NotFound."""
    job = _locked(job_id)
    if not job.is_running:
        return job
    products = ProductList(source.lines, currency, job.line, source.first_lines)
    rows = list(islice(products, BATCH))
    if job.status == "checking":
        job.preview = _check(job, rows)
    else:
        # The trail names the person who started the import, whoever has the page open.
        actor = Actor("admin", job.user_id, interface="pages")
        outcome = import_service.handle_rows(
            rows, lambda good: import_service.import_rows(actor, good, str(job.id))
        )
        job.report = _add(job.report, outcome)
        after_commit(lambda: metrics.count_import_rows(_counts(outcome)))
        if job.line == 0:
            import_service.update_statistics()
    job.line, job.updated_at = products.next_line, utc_now()
    if len(rows) < BATCH:
        _end(job)
    db.session.flush()
    return job


def is_in_worker(job: ImportJob) -> bool:
    """Whether a worker does its batches now."""
    return job_queue.is_running(KIND, _key(job))


def _enqueue(job: ImportJob) -> None:
    job_queue.enqueue(KIND, _key(job), {"import_id": job.id})


def _key(job: ImportJob) -> str:
    # On SQLite another job may have the id of a deleted one.
    return f"{job.id} {job.status} {rfc3339(job.created_at)}"


def _lines(data: bytes, most: int | None = None) -> list[str]:
    """The lines of a file; no more than `most` of them."""
    return list(islice(open_text(io.BytesIO(data)), most))


def _one(query: Select[Any], job_id: int) -> ImportJob:
    job: ImportJob | None = None
    if 0 < job_id < 2**63:
        query = query.where(ImportJob.id == job_id).execution_options(populate_existing=True)
        job = db.session.scalar(query)
    if job is None:
        raise NotFound("import")
    return job


def _locked(job_id: int) -> ImportJob:
    return _one(select(ImportJob).with_for_update(), job_id)


def _end(job: ImportJob) -> None:
    job.status = "checked" if job.status == "checking" else "done"
    job.memory = {}
    after_commit(lambda: metrics.shop.imports.labels(job.status).inc())
    if job.status == "done":
        job.file, job.repeated = None, {}
        import_service.update_statistics()


def _check(job: ImportJob, rows: Sequence[ImportRow | BadRow]) -> ImportReport:
    samples = job.preview.get("samples", [])
    dry_run = _restore(job.memory)
    dry_run.max_samples = MAX_SAMPLES - len(samples)
    outcome = import_service.handle_rows(
        rows, lambda good: import_service.preview_rows(good, dry_run)
    )
    job.memory = _remember(dry_run)
    samples = [*samples, *map(asdict, dry_run.samples)]
    return {**_add(job.preview, outcome), "samples": samples}


def _restore(memory: JobMemory) -> DryRun:
    tree = category_paths.load()
    for path in memory.get("planned", ()):
        with suppress(AmbiguousCategory):  # somebody has created its like meanwhile
            tree.find_or_plan(tuple(path), None)
    return DryRun(tree)


def _remember(dry_run: DryRun) -> JobMemory:
    """What later batches need: the categories to be created."""
    tree = dry_run.tree
    return {"planned": [list(tree.path_of[category.id]) for category in tree.new] if tree else []}


def _add(report: ImportReport, outcome: Outcome) -> ImportReport:
    refusals = [(row.line, row.reason) for row in outcome.refusals]
    return {
        **report,
        "created": report.get("created", 0) + outcome.created,
        "updated": report.get("updated", 0) + outcome.updated,
        "unchanged": report.get("unchanged", 0) + outcome.unchanged,
        "categories": report.get("categories", 0) + outcome.categories,
        "refused": report.get("refused", 0) + len(outcome.refusals),
        "told": [*report.get("told", []), *refusals][:MAX_REFUSALS],
        "stayed": Counter(report.get("stayed", {})) + outcome.ignored,
    }


def _counts(outcome: Outcome) -> dict[str, int]:
    return {
        "created": outcome.created,
        "updated": outcome.updated,
        "unchanged": outcome.unchanged,
        "categories": outcome.categories,
        "refused": len(outcome.refusals),
    }

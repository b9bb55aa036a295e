"""Product lists in and out: upload, check, import with progress, undo, export."""

import time
from functools import partial

from flask import Response, current_app, request, url_for
from werkzeug.exceptions import RequestEntityTooLarge

from app.db.unit_of_work import end_session, in_transaction
from app.domain.catalogue.csv_rows import COLUMNS
from app.domain.clock import utc_now
from app.models import ImportJob
from app.pages.admin.base import AdminBlueprint, admin_form, admin_page, file_too_large
from app.pages.admin.changes import readable
from app.pages.blueprint import see_other
from app.pages.downloads import csv_file
from app.pages.forms import Form
from app.schemas.base import ShopSchema, store_currency
from app.services.audit import security_log, trail
from app.services.imports import export_service, import_jobs
from app.services.imports.import_jobs import Source
from app.web.callers.identity import current_actor

SECONDS = 2.0
"""How long one request works on a job that a script goes on with."""
SECONDS_WITHOUT_SCRIPT = 10.0
"""How long where a person has to press the button again."""
LOOK_SECONDS = 0.25
"""How often it looks how far a worker has come."""
"""Characters of an export that are sent at once."""
RECENT = 10
NO_FIELDS = ShopSchema()
blp = AdminBlueprint("imports", __name__, url_prefix="/admin", takes_files=True)


@blp.get("/import")
def show() -> Response:
    """The form for a file, and the latest imports."""
    return _show(Form())


@blp.post("/import")
def upload() -> Response:
    """Store a file to be checked; nothing in the shop changes."""
    form = Form.from_request()
    job = form.carry_out(NO_FIELDS, lambda _fields: _store_file())
    if job is None:
        return _show(form)
    _work_on(job.id, SECONDS)
    return see_other(url_for(".show_job", job_id=job.id))


@blp.get("/import/<int:job_id>")
def show_job(job_id: int) -> Response:
    """The state of an import. While it runs, the page has a form that continues it, which the
    shop's script submits."""
    job = import_jobs.get(job_id)
    samples = [
        {**row, "changes": readable(row["changes"], {})} for row in job.preview.get("samples", [])
    ]
    wants_preview = "undo" in request.args and job.can_be_undone
    preview = import_jobs.preview_undo(job) if wants_preview else None
    return admin_page("import_job.html", job=job, samples=samples, undo_preview=preview)


@blp.post("/import/<int:job_id>")
def start(job_id: int) -> Response:
    """Import a list that was checked."""
    actor = current_actor()
    in_transaction(lambda: import_jobs.start(actor, job_id))
    _work_on(job_id, SECONDS)
    return see_other(url_for(".show_job", job_id=job_id))


@blp.post("/import/<int:job_id>/continue")
def continue_import(job_id: int) -> Response:
    """Work on an import that runs, for a few seconds; nothing where it does not."""
    _work_on(job_id, SECONDS if "by_script" in request.form else SECONDS_WITHOUT_SCRIPT)
    return see_other(url_for(".show_job", job_id=job_id))


@blp.post("/import/<int:job_id>/undo")
def undo(job_id: int) -> Response:
    """Put back what an import changed, for a few seconds at a time."""
    actor = current_actor()
    seconds = SECONDS if "by_script" in request.form else SECONDS_WITHOUT_SCRIPT
    until = time.monotonic() + seconds
    while True:
        job = in_transaction(lambda: import_jobs.undo_step(actor, job_id))
        if not job.can_be_undone or time.monotonic() >= until:
            return see_other(url_for(".show_job", job_id=job_id))


@blp.get("/export.csv")
def export() -> Response:
    """The catalogue as a file that the import reads, streamed; with `all` also what is inactive."""
    actor = current_actor()
    in_transaction(lambda: security_log.record_of(actor, security_log.EXPORTED, "products"))
    rows = export_service.product_rows(store_currency(), inactive="all" in request.args)
    return csv_file(f"products-{utc_now():%Y-%m-%d}.csv", COLUMNS, rows)


@blp.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """Show beside the form that the file is too large."""
    return _show(file_too_large())


def _show(form: Form) -> Response:
    jobs = import_jobs.latest(RECENT)
    return admin_form(
        "imports.html",
        form,
        jobs=jobs,
        names=trail.emails_of({job.user_id for job in jobs if job.user_id}),
        columns=COLUMNS,
        limit=current_app.config["MAX_UPLOAD_BYTES"],
    )


def _store_file() -> ImportJob:
    file, actor = request.files.get("file"), current_actor()
    data = file.read() if file else b""
    products, source = import_jobs.read(data, store_currency())
    name = (file.filename or "") if file else ""
    return in_transaction(lambda: import_jobs.begin(actor, name, data, products, source))


def _work_on(job_id: int, seconds: float) -> None:
    """Do batches until the job waits, ends, or the time is up; at least one. Wait for a worker that does
    them already."""
    job, until = import_jobs.get(job_id), time.monotonic() + seconds
    source: Source | None = None
    while job.is_running:
        if import_jobs.is_in_worker(job):
            end_session()
            time.sleep(LOOK_SECONDS)
            job = import_jobs.get(job_id)
        else:
            source = source or import_jobs.source_of(job_id)
            job = in_transaction(partial(import_jobs.step, job_id, source, store_currency()))
        if time.monotonic() >= until:
            return

"""Checks and imports the product lists that staff have uploaded."""

import time
from functools import partial

from flask import current_app

from app.db.unit_of_work import end_session, in_transaction
from app.errors import NotFound
from app.jobs.kinds import Postponed
from app.services.imports import import_jobs
from app.services.messages.job_queue import ClaimedJob

SECONDS = 20.0
"""How long one try works. The job is due again at once; a worker that is to stop leaves it to another."""
_REST = 0.02
"""Seconds between two batches: SQLite has one writer at a time, and shoppers write as well."""


def carry_out_import(job: ClaimedJob) -> None:
    """Do batches until the list is checked or imported. A deleted list has none.

    Raises:
        Postponed: batches are left.
    """
    import_id, until = int(job.body["import_id"]), time.monotonic() + SECONDS
    try:
        row = import_jobs.get(import_id)
        source = import_jobs.source_of(import_id) if row.is_running else None
        end_session()
        while source is not None and row.is_running:
            if time.monotonic() >= until:
                raise Postponed(0)
            currency = current_app.config["STORE_CURRENCY"]
            row = in_transaction(partial(import_jobs.step, import_id, source, currency))
            time.sleep(_REST)
    except NotFound:
        return

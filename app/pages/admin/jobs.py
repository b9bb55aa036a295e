"""The worker's jobs for staff: how many wait, and those that failed too often."""

from flask import Response, flash, url_for

from app.db.unit_of_work import in_transaction
from app.errors import NotFound
from app.pages.admin.base import AdminBlueprint, admin_page
from app.pages.blueprint import see_other
from app.services.messages import job_queue
from app.web.callers.identity import current_actor

blp = AdminBlueprint("jobs", __name__, url_prefix="/admin/jobs")
MAX_PARKED = 100
"""How many parked jobs the page shows; its figures count all of them."""


@blp.get("")
def list_jobs() -> Response:
    """How many jobs of each kind there are, and the last ones that were parked."""
    parked = job_queue.list_parked(MAX_PARKED)
    return admin_page("jobs.html", figures=job_queue.figures(), parked=parked)


@blp.post("/<int:job_id>/run")
def run_again(job_id: int) -> Response:
    """Make a parked job due now."""
    actor = current_actor()
    try:
        in_transaction(lambda: job_queue.run_again(actor, job_id))
    except NotFound:
        return _answer("This job is no longer parked.", "error")
    return _answer("The job is due again. A worker begins it within a second.")


@blp.post("/<int:job_id>/drop")
def drop(job_id: int) -> Response:
    """End a parked job that shall not be carried out."""
    actor = current_actor()
    try:
        in_transaction(lambda: job_queue.drop(actor, job_id))
    except NotFound:
        return _answer("This job is no longer parked.", "error")
    return _answer("The job is dropped. It will not be carried out.")


def _answer(words: str, kind: str = "message") -> Response:
    flash(words, kind)
    return see_other(url_for(".list_jobs"))

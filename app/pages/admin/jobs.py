"""The worker's jobs for staff: how many wait, and those that failed too often."""

from collections.abc import Callable

from flask import Response, flash, url_for

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
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
    words = "The job is due again. A worker begins it within a second."
    return _change(job_queue.run_again, job_id, words)


@blp.post("/<int:job_id>/drop")
def drop(job_id: int) -> Response:
    """End a parked job that shall not be carried out."""
    return _change(job_queue.drop, job_id, "The job is dropped. It will not be carried out.")


def _change(operation: Callable[[Actor, int], None], job_id: int, words: str) -> Response:
    actor = current_actor()
    try:
        in_transaction(lambda: operation(actor, job_id))
    except NotFound:
        flash("This job is no longer parked.", "error")
    else:
        flash(words)
    return see_other(url_for(".list_jobs"))

"""The worker's jobs in the staff's browser: parked ones are run again or dropped."""

import pytest

from app.db.unit_of_work import in_transaction
from app.models import AuditEvent, Job
from app.services.messages import job_queue
from tests.integration.people import inside, only_row, rows
from tests.integration.staff import signed_in_staff

JOBS = "/admin/jobs"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app)


@pytest.fixture
def parked(app):
    """A job that failed too often."""

    def park():
        job_queue.enqueue("other", "order 7 <b>")
        job_queue.park(job_queue.claim(["other"]), "The server refused.")

    inside(app, lambda: in_transaction(park))
    return only_other(app)


def only_other(app):
    """The one job beside the mail about the sign-in of staff."""
    (job,) = (job for job in rows(app, Job) if job.kind == "other")
    return job


def test_a_shop_without_jobs_says_so(staff):
    page = staff.get(JOBS)
    assert page.status_code == 200
    assert "No job is parked." in page.text


def test_a_parked_job_is_shown_with_its_reason(staff, parked):
    page = staff.get(JOBS).text
    for text in ("other", "order 7 &lt;b&gt;", "The server refused."):
        assert text in page


@pytest.mark.parametrize(
    ("verb", "status", "action"),
    [("run", "waiting", "job.run_again"), ("drop", "done", "job.dropped")],
)
def test_staff_run_it_again_or_drop_it_once(app, staff, parked, verb, status, action):
    address = f"{JOBS}/{parked.id}/{verb}"
    page = staff.get(JOBS)
    assert staff.follow(staff.send(address)).status_code == 200
    job = only_other(app)
    assert (job.status, job.tries) == (status, 0 if verb == "run" else 1)
    event = only_row(app, AuditEvent)
    assert (event.action, event.subject_id) == (action, parked.id)
    staff.page = page  # the Back button, and a second click
    again = staff.follow(staff.send(address))
    assert "no longer parked" in again.text
    assert only_other(app).status == status

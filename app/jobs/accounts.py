"""What the worker does for accounts."""

from app.jobs.kinds import Kind
from app.services.accounts import recovery
from app.services.messages.job_queue import ClaimedJob


def send_link(job: ClaimedJob) -> None:
    """Queue the mail by which somebody sets a new password."""
    recovery.send_link(job.body["user"])


PASSWORD_FORGOT = Kind(recovery.KIND, send_link, transactional=True)

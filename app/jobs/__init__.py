"""The worker, and which jobs and schedules call which service."""

from functools import partial

from app.jobs import imports, upkeep, webhooks
from app.jobs.accounts import PASSWORD_FORGOT
from app.jobs.kinds import Kind, Schedule
from app.jobs.mails import MAIL
from app.jobs.worker import Relay
from app.services.imports import import_jobs
from app.services.messages import event_feed, subscribers, webhook_endpoints

KINDS = (
    Kind("purge", upkeep.carry_out_purge, max_tries=3),
    Kind("audit", upkeep.carry_out_audit, max_tries=1),
    MAIL,
    PASSWORD_FORGOT,
    Kind(import_jobs.KIND, imports.carry_out_import),
    Kind(webhook_endpoints.JOB, webhooks.send_waiting),
)
SCHEDULES = (Schedule("purge", 3600), Schedule("audit", 86_400))
RELAYS = (Relay(event_feed.is_any_unnumbered, partial(subscribers.relay_events, waits=False)),)
"""What the worker passes on before it looks for jobs."""

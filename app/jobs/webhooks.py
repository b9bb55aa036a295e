"""Sends webhooks. `app.services.messages.webhook_deliveries` says what is promised."""

import time
from functools import partial

from flask import current_app
from standardwebhooks import Webhook

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.encryption import Undecryptable
from app.errors import NotFound
from app.gateways import webhooks
from app.gateways.webhooks import NoReply
from app.jobs.kinds import Ended, Postponed
from app.models import WebhookDelivery
from app.services.messages import job_queue, webhook_deliveries, webhook_endpoints
from app.services.messages.job_queue import ClaimedJob
from app.services.messages.webhook_deliveries import Outcome

SECONDS = 20.0
"""How long one try sends. The job is due again at once, behind the jobs that became due meanwhile."""


def send_waiting(job: ClaimedJob) -> None:
    """Send what waits for an endpoint, one after the other.

    Raises:
        Ended: nothing can be sent now.
        Postponed: it goes on at once.
    """
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            delivery = in_transaction(partial(_next_delivery, job))
        except NotFound:  # the endpoint was deleted, and its deliveries with it
            return
        if delivery is None:
            raise Ended
        _attempt(delivery)
    raise Postponed(0)


def _next_delivery(job: ClaimedJob) -> WebhookDelivery | None:
    """The delivery to send now. None if there is none: then this transaction ends the job, or lets it
    wait, so that whoever locks the endpoint next can wake it.

    Raises:
        NotFound: there is no such endpoint.
    """
    following = webhook_deliveries.next_delivery(int(job.body["endpoint_id"]))
    if isinstance(following, float):
        job_queue.postpone(job, following)
        return None
    if following is None:
        job_queue.complete(job)
    return following


def _attempt(delivery: WebhookDelivery) -> None:
    outcome = _send(delivery)
    first_pause = current_app.config["WEBHOOK_RETRY_SECONDS"]
    in_transaction(partial(webhook_deliveries.record_outcome, delivery.id, outcome, first_pause))


def _send(delivery: WebhookDelivery) -> Outcome:
    try:
        headers = _headers(delivery)
        reply = webhooks.sender().send(delivery.endpoint.url, delivery.body, headers)
    except Undecryptable:
        return Outcome(None, "Its secret cannot be read with this SECRET_KEY. Rotate it.", None)
    except NoReply as error:
        return Outcome(None, str(error), None)
    return Outcome(reply.status, None, reply.milliseconds)


def _headers(delivery: WebhookDelivery) -> dict[str, str]:
    """The headers of Standard Webhooks, signed now with each secret that is in force.

    Raises:
        Undecryptable: the secret was encrypted under a key that is not in the settings.
    """
    message_id, now = webhook_deliveries.message_id(delivery), utc_now()
    signatures = [
        Webhook(secret).sign(message_id, now, delivery.body)
        for secret in webhook_endpoints.signing_secrets(delivery.endpoint)
    ]
    return {
        "Content-Type": "application/json",
        "User-Agent": "ShopSwift-Webhooks/1.0",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }

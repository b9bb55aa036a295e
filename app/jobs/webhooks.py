"""Sends webhooks. `app.services.messages.webhook_deliveries` says what is promised."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from flask import current_app
from standardwebhooks import Webhook

from app.db.unit_of_work import end_session, in_transaction
from app.domain.clock import utc_now
from app.encryption import Undecryptable
from app.gateways import webhooks
from app.gateways.webhooks import NoReply
from app.jobs.kinds import Postponed
from app.models import WebhookDelivery
from app.services.messages import webhook_deliveries, webhook_endpoints
from app.services.messages.job_queue import ClaimedJob
from app.services.messages.webhook_deliveries import Outcome

MOST_AT_ONCE = 2
"""Deliveries of one endpoint that a worker process sends at the same time. A receiver that answers slowly
then leaves threads for the others."""
_PAUSE_SECONDS = 0.5
_busy: Counter[int] = Counter()
_lock = threading.Lock()


def deliver(job: ClaimedJob) -> None:
    """Send one delivery, unless it has ended or has to wait.

    Raises:
        Postponed: it waits for its time, its endpoint or a free place.
    """
    delivery_id = int(job.body["delivery_id"])
    delivery = webhook_deliveries.read_for_attempt(delivery_id)
    end_session()
    if delivery is None:
        return
    if not delivery.endpoint.is_active:
        _give_up(delivery_id, "The endpoint is switched off.")
        return
    with _place(delivery.endpoint_id):
        _attempt(delivery_id)


def _attempt(delivery_id: int) -> None:
    delivery = in_transaction(partial(_take_turn, delivery_id))
    if delivery is None:
        return
    try:
        headers = _headers(delivery)
    except Undecryptable:
        _give_up(delivery_id, "Its secret cannot be read with this SECRET_KEY. Rotate it.")
        return
    outcome = _send(delivery, headers)
    first_pause = current_app.config["WEBHOOK_RETRY_SECONDS"]
    pause = in_transaction(
        partial(webhook_deliveries.record_outcome, delivery_id, outcome, first_pause)
    )
    if pause is not None:
        raise Postponed(pause)


def _take_turn(delivery_id: int) -> WebhookDelivery | None:
    """The delivery, if it may be sent now.

    Raises:
        Postponed: it has to wait.
    """
    delivery = webhook_deliveries.read_for_attempt(delivery_id)
    if delivery is not None and (seconds := webhook_deliveries.wait_seconds(delivery)):
        raise Postponed(seconds)
    return delivery


def _send(delivery: WebhookDelivery, headers: dict[str, str]) -> Outcome:
    try:
        reply = webhooks.sender().send(delivery.endpoint.url, delivery.body, headers)
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


def _give_up(delivery_id: int, error: str) -> None:
    in_transaction(partial(webhook_deliveries.give_up, delivery_id, error))


@contextmanager
def _place(endpoint_id: int) -> Iterator[None]:
    """One of the endpoint's places in this process.

    Raises:
        Postponed: all are taken.
    """
    with _lock:
        if _busy[endpoint_id] >= MOST_AT_ONCE:
            raise Postponed(_PAUSE_SECONDS)
        _busy[endpoint_id] += 1
    try:
        yield
    finally:
        with _lock:
            _busy[endpoint_id] -= 1

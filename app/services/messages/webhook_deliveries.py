"""Deliveries of events to the endpoints of webhooks.

`queue_deliveries` writes a row for each endpoint that wants an event, in the transaction that numbers the
event, and a job for the first waiting delivery of each subject. Who ends a delivery makes the job of the
next one of the subject, so that a receiver gets what happened to an order in order. Both lock the endpoint
before they look, so that none of two who do so at once takes the other to have made the job.

A delivery is sent at least once: a worker that dies between the answer and its own commit sends it again,
with the same `webhook-id`. After a failure the whole endpoint pauses, and one delivery tries it again then,
so a receiver that is down costs one request for each pause. A delivery that fails for LIFETIME is dead.
"""

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, and_, exists, select, update
from sqlalchemy.orm import aliased, joinedload

from app.db import paging
from app.db.paging import Page, Slice, SortKey
from app.domain.clock import rfc3339, utc_now
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import WebhookDelivery, WebhookEndpoint
from app.services.audit import trail
from app.services.messages import job_queue, mail_rules
from app.services.messages.event_feed import EventRow
from app.services.messages.webhook_endpoints import lock_endpoint

JOB = "webhook"
LIFETIME = timedelta(days=3)
STORED = timedelta(days=90)
LONGEST_PAUSE = 6 * 3600.0
_TRY_SECONDS = 15.0
"""For how long one delivery may try an endpoint that failed before another one does."""
GONE = 410
NEWEST_FIRST = SortKey("-id", WebhookDelivery.id, WebhookDelivery.id, descending=True)


class Outcome(NamedTuple):
    """How one attempt ended."""

    status: int | None
    """The status of the answer; None if there was none."""
    error: str | None
    milliseconds: int | None

    @property
    def is_success(self) -> bool:
        """Whether the receiver took the delivery: a status of 2xx."""
        return self.status is not None and 200 <= self.status < 300


def queue_deliveries(events: Sequence[EventRow]) -> None:
    """Store these events for the active endpoints that want them: a subscriber of the feed."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.is_active).order_by(WebhookEndpoint.id)
    for endpoint in db.session.scalars(query.with_for_update()).all():
        rows = [
            _delivery(endpoint, event)
            for event in events
            if not endpoint.types or event.type in endpoint.types
        ]
        db.session.add_all(rows)
        db.session.flush()
        for row in _first_waiting([row.id for row in rows]):
            _enqueue(row)


def read_for_attempt(delivery_id: int) -> WebhookDelivery | None:
    """A delivery with its endpoint; None where there is nothing to send any more."""
    query = select(WebhookDelivery).where(WebhookDelivery.id == delivery_id)
    delivery = db.session.scalar(query.options(joinedload(WebhookDelivery.endpoint)))
    return delivery if delivery is not None and delivery.status == "waiting" else None


def wait_seconds(delivery: WebhookDelivery) -> float:
    """Seconds until it may be sent; 0 for now. Whoever gets 0 from an endpoint that failed tries it
    alone, for _TRY_SECONDS."""
    now = utc_now()
    endpoint = delivery.endpoint
    times = [delivery.next_at, *([endpoint.paused_until] if endpoint.paused_until else [])]
    if max(times) > now:
        return (max(times) - now).total_seconds()
    if endpoint.paused_until is None:
        return 0.0
    turn = update(WebhookEndpoint).where(
        WebhookEndpoint.id == endpoint.id, WebhookEndpoint.paused_until == endpoint.paused_until
    )
    until = now + timedelta(seconds=_TRY_SECONDS)
    taken = db.session.execute(
        turn.values(paused_until=until).returning(WebhookEndpoint.id),
        execution_options={"synchronize_session": False},
    )
    return 0.0 if taken.first() else 1.0


def record_outcome(delivery_id: int, outcome: Outcome, first_pause: float) -> float | None:
    """Store how an attempt ended; seconds until the next one, None if the delivery has ended."""
    delivery = _lock_delivery(delivery_id)
    if delivery is None or delivery.status != "waiting":
        return None
    delivery.attempts += 1
    delivery.last_status, delivery.last_error = outcome.status, outcome.error
    delivery.last_milliseconds = outcome.milliseconds
    if outcome.is_success:
        delivery.endpoint.failures, delivery.endpoint.paused_until = 0, None
        delivery.endpoint.trouble = None
        _end(delivery, "delivered")
        return None
    return _note_failure(delivery, outcome, first_pause)


def give_up(delivery_id: int, error: str) -> None:
    """End a delivery that cannot be sent at all."""
    delivery = _lock_delivery(delivery_id)
    if delivery is not None and delivery.status == "waiting":
        delivery.last_error = error
        if delivery.endpoint.is_active:
            _note_trouble(delivery.endpoint, error)
        _end(delivery, "dead")


def resend(actor: Actor, delivery_id: int) -> WebhookDelivery:
    """Send a delivery again, with the same `webhook-id`; one that waits is due at once.

    Raises:
        NotFound: there is none.
        Conflict: `webhook_endpoint_inactive`.
    """
    delivery = _lock_delivery(delivery_id)
    if delivery is None:
        raise NotFound("webhook delivery")
    if not delivery.endpoint.is_active:
        raise Conflict("webhook_endpoint_inactive", "The endpoint is switched off.")
    before = {"status": delivery.status}
    delivery.status, delivery.ended_at = "waiting", None
    delivery.begun_at = delivery.next_at = utc_now()
    delivery.endpoint.paused_until = None
    delivery.resends += 1
    _enqueue(delivery)
    trail.record(actor, "webhook.resent", delivery.endpoint_id, before, {"status": "resent"})
    return delivery


def list_deliveries(
    endpoint_id: int, page: int, per_page: int, status: str | None = None
) -> Page[WebhookDelivery]:
    """The deliveries of an endpoint, newest first."""
    query = _deliveries_of(endpoint_id, status)
    return paging.fetch_page(query, NEWEST_FIRST.order_by(), page, per_page)


def slice_of_deliveries(
    endpoint_id: int, cursor: str, per_page: int, status: str | None = None
) -> Slice[WebhookDelivery]:
    """The same after a cursor; an empty one starts.

    Raises:
        Invalid: the cursor is not one of this list.
    """
    return paging.fetch_slice(_deliveries_of(endpoint_id, status), NEWEST_FIRST, cursor, per_page)


def expired() -> ColumnElement[bool]:
    """The condition of deliveries that have ended and may be removed."""
    return and_(
        WebhookDelivery.status != "waiting", WebhookDelivery.created_at < utc_now() - STORED
    )


def message_id(delivery: WebhookDelivery) -> str:
    """The `webhook-id`: the same at each attempt, and different for each endpoint and event."""
    return f"evt_{delivery.event_seq}_{delivery.endpoint_id}"


def _deliveries_of(endpoint_id: int, status: str | None) -> Select[WebhookDelivery]:
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    return query.where(WebhookDelivery.status == status) if status else query


def _delivery(endpoint: WebhookEndpoint, event: EventRow) -> WebhookDelivery:
    subject = {"kind": event.subject_kind, "id": event.subject_id}
    body = {
        "type": event.type,
        "timestamp": rfc3339(event.at),
        "data": {**event.public_data, "seq": event.seq, "subject": subject},
    }
    return WebhookDelivery(
        endpoint_id=endpoint.id, event_seq=event.seq, type=event.type,
        subject_kind=event.subject_kind, subject_id=event.subject_id,
        body=json.dumps(body, ensure_ascii=False, separators=(",", ":")),
    )  # fmt: skip


def _first_waiting(ids: Sequence[int]) -> Sequence[WebhookDelivery]:
    """Those of these deliveries before which nothing of their subject waits."""
    earlier = aliased(WebhookDelivery)
    before = exists().where(
        earlier.status == "waiting",
        earlier.endpoint_id == WebhookDelivery.endpoint_id,
        earlier.subject_kind == WebhookDelivery.subject_kind,
        earlier.subject_id == WebhookDelivery.subject_id,
        earlier.event_seq < WebhookDelivery.event_seq,
    )
    return db.session.scalars(
        select(WebhookDelivery)
        .where(WebhookDelivery.id.in_(ids), WebhookDelivery.status == "waiting", ~before)
        .order_by(WebhookDelivery.id)
    ).all()


def _enqueue(delivery: WebhookDelivery) -> None:
    """Make the job of a delivery; its three days begin now."""
    if not delivery.attempts:
        delivery.begun_at = utc_now()
    key = f"{delivery.id}.{delivery.resends}"
    job_queue.enqueue(JOB, key, {"delivery_id": delivery.id})


def _lock_delivery(delivery_id: int) -> WebhookDelivery | None:
    """A delivery and its endpoint, locked in the order endpoint, delivery; None if it is gone."""
    endpoint_id = db.session.scalar(
        select(WebhookDelivery.endpoint_id).where(WebhookDelivery.id == delivery_id)
    )
    if endpoint_id is None:
        return None
    try:
        lock_endpoint(endpoint_id)
    except NotFound:
        return None
    query = (
        select(WebhookDelivery)
        .where(WebhookDelivery.id == delivery_id)
        .with_for_update(of=WebhookDelivery)
    )
    query = query.options(joinedload(WebhookDelivery.endpoint, innerjoin=True))
    return db.session.scalar(query.execution_options(populate_existing=True))


def _note_failure(delivery: WebhookDelivery, outcome: Outcome, first_pause: float) -> float | None:
    endpoint, now = delivery.endpoint, utc_now()
    if outcome.status == GONE:
        endpoint.is_active = False
        _note_trouble(endpoint, "It answered 410 (Gone) and was switched off.")
        _end(delivery, "dead")
        return None
    pause = _pause(first_pause, endpoint.failures)
    endpoint.failures += 1
    endpoint.paused_until = now + timedelta(seconds=pause)
    own_pause = _pause(first_pause, delivery.attempts - 1)
    delivery.next_at = now + timedelta(seconds=own_pause)
    if delivery.next_at > delivery.begun_at + LIFETIME:
        _note_trouble(
            endpoint, f"Event {delivery.event_seq} could not be delivered for three days."
        )
        _end(delivery, "dead")
        return None
    return max(pause, own_pause)


def _note_trouble(endpoint: WebhookEndpoint, trouble: str) -> None:
    endpoint.trouble = trouble
    mail_rules.queue_webhook_trouble(endpoint)


def _pause(first: float, failures: int) -> float:
    spread = random.uniform(0.8, 1.2)  # noqa: S311 - spreads the attempts
    return min(first * 2.0 ** min(failures, 30), LONGEST_PAUSE) * spread


def _end(delivery: WebhookDelivery, status: str) -> None:
    """End a delivery, and make the job of what waits behind it."""
    delivery.status, delivery.ended_at = status, utc_now()
    db.session.flush()
    following = db.session.scalar(
        select(WebhookDelivery)
        .where(
            WebhookDelivery.status == "waiting",
            WebhookDelivery.endpoint_id == delivery.endpoint_id,
            WebhookDelivery.subject_kind == delivery.subject_kind,
            WebhookDelivery.subject_id == delivery.subject_id,
        )
        .order_by(WebhookDelivery.event_seq)
        .limit(1)
    )
    if following is not None:
        _enqueue(following)

"""Deliveries of events to the endpoints of webhooks.

`queue_deliveries` writes a row for each endpoint that wants an event, in the transaction that numbers the
event, and wakes the endpoint's job. This one job sends what waits, one after the other, oldest event first.
It ends in a transaction that holds the endpoint's lock and sees that nothing waits; `queue_deliveries` holds
the same lock, so no delivery is left without a job.

A delivery that failed waits, and with it what comes after it of the same subject, so that a receiver gets
what happened to an order in order. The endpoint pauses, too: a receiver that is down costs one request for
each pause, and a worker one short transaction. A delivery that fails for LIFETIME is dead.

A delivery is sent at least once: a worker that dies between the answer and its own commit sends it again,
with the same `webhook-id`.
"""

import json
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, exists, select
from sqlalchemy.orm import aliased, joinedload

from app.db import paging
from app.db.bulk import insert_rows
from app.db.paging import Page, Slice, SortKey
from app.domain.clock import rfc3339, utc_now
from app.domain.event_types import EVENT_TYPES
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import WebhookDelivery, WebhookEndpoint
from app.services.audit import trail
from app.services.messages import mail_rules
from app.services.messages.event_feed import EventRow
from app.services.messages.webhook_endpoints import lock_endpoint, try_at_once, wake

LIFETIME = timedelta(days=3)
STORED = timedelta(days=90)
LONGEST_PAUSE = 6 * 3600.0
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
        types = set(endpoint.types or EVENT_TYPES)
        rows = [_row(endpoint, event) for event in events if event.type in types]
        if rows:
            insert_rows(WebhookDelivery, _COLUMNS, rows)
            # A job that waits for one delivery must not keep the new ones waiting.
            wake(endpoint, is_urgent=not endpoint.is_paused)


def next_delivery(endpoint_id: int) -> WebhookDelivery | float | None:
    """What to send to an endpoint now; else the seconds until there may be something, or None if
    nothing waits. Locks the endpoint.

    Raises:
        NotFound: the endpoint was deleted.
    """
    endpoint, now = lock_endpoint(endpoint_id), utc_now()
    if not endpoint.is_active:
        return None
    if endpoint.is_paused and endpoint.paused_until is not None:
        return (endpoint.paused_until - now).total_seconds()
    first = _waiting(endpoint_id).where(WebhookDelivery.next_at <= now).limit(1)
    delivery = db.session.scalar(first.options(joinedload(WebhookDelivery.endpoint)))
    if delivery is not None:
        return delivery
    later = _waiting(endpoint_id).with_only_columns(WebhookDelivery.next_at).order_by(None)
    next_at = db.session.scalar(later.order_by(WebhookDelivery.next_at).limit(1))
    return (next_at - now).total_seconds() if next_at else None


def record_outcome(delivery_id: int, outcome: Outcome, first_pause: float) -> None:
    """Store how an attempt ended."""
    delivery = _lock_delivery(delivery_id)
    if delivery is None or delivery.status != "waiting":
        return
    delivery.attempts += 1
    delivery.last_status, delivery.last_error = outcome.status, outcome.error
    delivery.last_milliseconds = outcome.milliseconds
    if not outcome.is_success:
        _note_failure(delivery, outcome, first_pause)
        return
    delivery.endpoint.failures, delivery.endpoint.paused_until = 0, None
    delivery.endpoint.trouble = None
    _end(delivery, "delivered")


def resend(actor: Actor, delivery_id: int) -> WebhookDelivery:
    """Send a delivery again, with the same `webhook-id`; what waits of its subject is sent before it.

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
    delivery.status, delivery.ended_at, delivery.begun_at = "waiting", None, utc_now()
    delivery.resends += 1
    db.session.flush()
    try_at_once(delivery.endpoint)
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
    """The condition of deliveries that may be removed. Those that still wait are of an endpoint that is
    switched off."""
    return WebhookDelivery.created_at < utc_now() - STORED


def message_id(delivery: WebhookDelivery) -> str:
    """The `webhook-id`: the same at each attempt, and different for each endpoint and event."""
    return f"evt_{delivery.event_seq}_{delivery.endpoint_id}"


def _deliveries_of(endpoint_id: int, status: str | None) -> Select[WebhookDelivery]:
    query = select(WebhookDelivery).where(WebhookDelivery.endpoint_id == endpoint_id)
    return query.where(WebhookDelivery.status == status) if status else query


_COLUMNS = (
    "endpoint_id", "event_seq", "type", "subject_kind", "subject_id", "body", "status", "attempts",
    "resends", "created_at", "begun_at", "next_at",
)  # fmt: skip


def _row(endpoint: WebhookEndpoint, event: EventRow) -> tuple[object, ...]:
    subject, now = {"kind": event.subject_kind, "id": event.subject_id}, utc_now()
    body = {
        "type": event.type,
        "timestamp": rfc3339(event.at),
        "data": {**event.public_data, "seq": event.seq, "subject": subject},
    }
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return (
        endpoint.id, event.seq, event.type, event.subject_kind, event.subject_id, text, "waiting", 0,
        0, now, now, now,
    )  # fmt: skip


def _waiting(endpoint_id: int) -> Select[WebhookDelivery]:
    """What waits for an endpoint, oldest event first; of each subject only the first."""
    earlier = aliased(WebhookDelivery)
    is_blocked = exists().where(
        earlier.status == "waiting",
        earlier.endpoint_id == WebhookDelivery.endpoint_id,
        earlier.subject_kind == WebhookDelivery.subject_kind,
        earlier.subject_id == WebhookDelivery.subject_id,
        earlier.event_seq < WebhookDelivery.event_seq,
    )
    of_endpoint = WebhookDelivery.endpoint_id == endpoint_id
    return (
        select(WebhookDelivery)
        .where(of_endpoint, WebhookDelivery.status == "waiting", ~is_blocked)
        .order_by(WebhookDelivery.event_seq)
    )


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


def _note_failure(delivery: WebhookDelivery, outcome: Outcome, first_pause: float) -> None:
    endpoint, now = delivery.endpoint, utc_now()
    if outcome.status == GONE:
        endpoint.is_active = False
        _note_trouble(endpoint, "It answered 410 (Gone) and was switched off.")
        _end(delivery, "dead")
        return
    endpoint.paused_until = now + timedelta(seconds=_pause(first_pause, endpoint.failures))
    endpoint.failures += 1
    pause = timedelta(seconds=_pause(first_pause, delivery.attempts - 1))
    delivery.next_at = now + pause
    if delivery.next_at > delivery.begun_at + LIFETIME:
        _note_trouble(
            endpoint, f"Event {delivery.event_seq} could not be delivered for three days."
        )
        _end(delivery, "dead")


def _note_trouble(endpoint: WebhookEndpoint, trouble: str) -> None:
    endpoint.trouble = trouble
    mail_rules.queue_webhook_trouble(endpoint)


def _pause(first: float, failures: int) -> float:
    spread = random.uniform(0.8, 1.2)  # noqa: S311 - spreads the attempts
    return min(first * 2.0 ** min(failures, 30), LONGEST_PAUSE) * spread


def _end(delivery: WebhookDelivery, status: str) -> None:
    delivery.status, delivery.ended_at = status, utc_now()
    db.session.flush()

"""Receivers of webhooks: created, changed and removed by staff, with the secrets that sign what they get.

A secret is shown once, when it is made. It is stored encrypted, because signing needs it as it is
(`app.encryption`). After a rotation deliveries are signed with the old secret, too, for OVERLAP.
"""

import hashlib
import secrets
from base64 import b64encode
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple, TypedDict
from urllib.parse import urlsplit

from sqlalchemy import and_, select, update

from app import encryption
from app.domain.clock import utc_now
from app.domain.people.actor import Actor
from app.encryption import Undecryptable
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import WebhookDelivery, WebhookEndpoint
from app.services.audit import trail
from app.services.messages import job_queue

MAX_ENDPOINTS = 50
"""Each event is written once for each of them, in one transaction."""
OVERLAP = timedelta(hours=24)
"""How long the secret before signs, too."""
_PURPOSE = "webhook secrets"
_SECRET_BYTES = 32
JOB = "webhook"
"""The kind of the job that sends what waits for an endpoint; its key is the id."""


class EndpointInput(TypedDict, total=False):
    """The fields that staff set."""

    url: str
    types: list[str]
    description: str
    is_active: bool


class NewSecret(NamedTuple):
    """An endpoint with the secret that is shown now and never again."""

    endpoint: WebhookEndpoint
    secret: str


def list_endpoints() -> Sequence[WebhookEndpoint]:
    """All endpoints, oldest first; there are at most MAX_ENDPOINTS."""
    return db.session.scalars(select(WebhookEndpoint).order_by(WebhookEndpoint.id)).all()


def get_endpoint(endpoint_id: int) -> WebhookEndpoint:
    """One endpoint.

    Raises:
        NotFound: there is none.
    """
    endpoint = db.session.get(WebhookEndpoint, endpoint_id)
    if endpoint is None:
        raise NotFound("webhook endpoint")
    return endpoint


def create_endpoint(actor: Actor, fields: EndpointInput) -> NewSecret:
    """Add an endpoint. It is told of what happens from then on.

    Raises:
        Conflict: `too_many_webhook_endpoints`.
    """
    count = len(
        db.session.scalars(
            select(WebhookEndpoint.id).order_by(WebhookEndpoint.id).with_for_update()
        ).all()
    )
    if count >= MAX_ENDPOINTS:
        raise Conflict("too_many_webhook_endpoints", f"At most {MAX_ENDPOINTS} endpoints.")
    secret = _new_secret()
    encrypted, key_id = encryption.encrypt(_PURPOSE, secret), encryption.key_id(_PURPOSE)
    endpoint = WebhookEndpoint(**fields, secret=encrypted, key_id=key_id)
    db.session.add(endpoint)
    db.session.flush()
    trail.record(actor, "webhook.created", endpoint.id, {}, _state(endpoint))
    return NewSecret(endpoint, secret)


def edit_endpoint(actor: Actor, endpoint_id: int, changes: EndpointInput) -> WebhookEndpoint:
    """Change the fields that are given. What waits is tried at once.

    Raises:
        NotFound: there is none.
    """
    endpoint = lock_endpoint(endpoint_id)
    before = _state(endpoint)
    for name, value in changes.items():
        setattr(endpoint, name, value)
    if _state(endpoint) == before:
        return endpoint
    endpoint.trouble = None
    try_at_once(endpoint)
    trail.record(actor, "webhook.edited", endpoint.id, before, _state(endpoint))
    return endpoint


def delete_endpoint(actor: Actor, endpoint_id: int) -> None:
    """Remove an endpoint with all its deliveries.

    Raises:
        NotFound: there is none.
    """
    endpoint = lock_endpoint(endpoint_id)
    trail.record(actor, "webhook.deleted", endpoint.id, _state(endpoint))
    db.session.delete(endpoint)


def rotate_secret(actor: Actor, endpoint_id: int) -> NewSecret:
    """Give an endpoint another secret. The present one goes on signing beside it for OVERLAP.

    Raises:
        NotFound: there is none.
    """
    endpoint, secret = lock_endpoint(endpoint_id), _new_secret()
    _renew(endpoint)
    is_readable = endpoint.key_id == encryption.key_id(_PURPOSE)
    endpoint.old_secret = endpoint.secret if is_readable else None
    endpoint.old_secret_until = utc_now() + OVERLAP if is_readable else None
    endpoint.secret = encryption.encrypt(_PURPOSE, secret)
    endpoint.key_id = encryption.key_id(_PURPOSE)
    trail.record(actor, "webhook.secret_rotated", endpoint.id, {}, {"secret": "rotated"})
    return NewSecret(endpoint, secret)


def try_at_once(endpoint: WebhookEndpoint) -> None:
    """End the pauses of an endpoint and of what waits for it."""
    now = utc_now()
    endpoint.failures, endpoint.paused_until = 0, None
    of_endpoint = and_(
        WebhookDelivery.endpoint_id == endpoint.id, WebhookDelivery.status == "waiting"
    )
    db.session.execute(
        update(WebhookDelivery)
        .where(of_endpoint, WebhookDelivery.next_at > now)
        .values(next_at=now)
    )
    db.session.flush()
    wake(endpoint, is_urgent=True)


def wake(endpoint: WebhookEndpoint, is_urgent: bool = False) -> None:
    """Let the endpoint's job look for what waits; `is_urgent` ends its pause."""
    job_queue.wake(JOB, str(endpoint.id), {"endpoint_id": endpoint.id}, is_urgent)


def signing_secrets(endpoint: WebhookEndpoint) -> list[str]:
    """The secrets that sign a delivery now, the newest first.

    Raises:
        app.encryption.Undecryptable: SECRET_KEY was replaced without a fallback.
    """
    stored = [endpoint.secret]
    if endpoint.old_secret and endpoint.old_secret_until and endpoint.old_secret_until > utc_now():
        stored.append(endpoint.old_secret)
    return [encryption.decrypt(_PURPOSE, secret) for secret in stored]


def count_outdated_keys() -> int:
    """How many endpoints have secrets under another key than the present one."""
    return sum(row.key_id != encryption.key_id(_PURPOSE) for row in list_endpoints())


def renew_encryption() -> None:
    """Encrypt the secrets under the present key that are not yet; those that no key decrypts stay."""
    for endpoint in list_endpoints():
        _renew(lock_endpoint(endpoint.id))


def _renew(endpoint: WebhookEndpoint) -> None:
    if endpoint.key_id == encryption.key_id(_PURPOSE):
        return
    with suppress(Undecryptable):
        secret, old = (
            stored and encryption.encrypt(_PURPOSE, encryption.decrypt(_PURPOSE, stored))
            for stored in (endpoint.secret, endpoint.old_secret)
        )
        endpoint.secret, endpoint.old_secret = str(secret), old
        endpoint.key_id = encryption.key_id(_PURPOSE)


def lock_endpoint(endpoint_id: int) -> WebhookEndpoint:
    """One endpoint as it is now, locked until the commit.

    Raises:
        NotFound: there is none.
    """
    query = select(WebhookEndpoint).where(WebhookEndpoint.id == endpoint_id).with_for_update()
    endpoint = db.session.scalar(query.execution_options(populate_existing=True))
    if endpoint is None:
        raise NotFound("webhook endpoint")
    return endpoint


def _new_secret() -> str:
    """A secret of Standard Webhooks, which has 24 to 64 bytes."""
    return f"whsec_{b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()}"


def _state(endpoint: WebhookEndpoint) -> dict[str, object]:
    """The fields that staff set. A URL may hold a token of the receiver, so the trail has only its
    host, and a hash that tells whether it was changed."""
    return {
        "host": urlsplit(endpoint.url).hostname,
        "url_hash": hashlib.sha256(endpoint.url.encode()).hexdigest()[:16],
        "types": list(endpoint.types),
        "description": endpoint.description,
        "is_active": endpoint.is_active,
    }

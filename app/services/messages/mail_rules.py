"""Which events are told to whom by mail.

`queue_mails` is a subscriber of the event feed: it runs in the transaction that numbers the events, so
each event queues its mails once. What is no event, such as a parked job, is queued by the operation
that does it.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import func, select

from app.db.moments import seconds_from_now
from app.domain.clock import rfc3339, utc_now
from app.domain.people import emails
from app.extensions import db
from app.models import Mail, Order, Session, Store, User, WebhookEndpoint
from app.services.messages.event_feed import EventRow
from app.services.messages.job_queue import ClaimedJob
from app.services.messages.mail_service import KIND, queue_mail

ORDER_TEMPLATES = {
    "order.placed": "order_placed",
    "order.cancelled": "order_cancelled",
    "order.shipped": "order_shipped",
}
STAFF_TEMPLATES = ("stock_out", "job_parked", "staff_sign_in", "webhook_trouble")
MAX_STAFF = 20
"""To how many of staff a note goes, if the shop has no address of its own."""
MAX_VARIANTS = 50
"""How many articles a mail lists."""
MAX_FOR_GUEST = 20
"""How many mails about orders an address gets in GUEST_SECONDS, if the orders are guests'.

Nobody has confirmed a guest's address: somebody may order and cancel again and again, to fill the
mailbox of another person.
"""
GUEST_SECONDS = 24 * 3600.0
log = logging.getLogger(__name__)


class Recipient(NamedTuple):
    """Who is told of an order."""

    email: str
    is_guest: bool


def queue_mails(events: Sequence[EventRow]) -> None:
    """Queue the mails about these events."""
    _queue_order_mails([event for event in events if event.type in ORDER_TEMPLATES])
    _queue_stock_mails([event for event in events if event.type == "stock.out"])


def queue_job_parked(job: ClaimedJob) -> None:
    """Tell staff that a job was parked, at most once an hour for each kind of job.

    Mails to staff that cannot be sent are not told by another mail to staff.
    """
    if job.kind == KIND and job.body.get("template") in STAFF_TEMPLATES:
        return
    key = f"{job.kind} {utc_now():%Y-%m-%dT%H}"
    _tell_staff("job_parked", key, {"job": job.id, "kind": job.kind})


def queue_webhook_trouble(endpoint: WebhookEndpoint) -> None:
    """Tell staff of an endpoint that somebody should look at, at most once a day for each."""
    key = f"{endpoint.id} {utc_now():%Y-%m-%d}"
    _tell_staff("webhook_trouble", key, {"endpoint": endpoint.id})


def queue_staff_sign_in(user: User, session: Session) -> None:
    """Tell a member of staff that somebody signed in to their account."""
    if user.role == "admin" and user.email:
        context = {"user": user.id, "session": session.id}
        key = f"session {session.id} {rfc3339(session.created_at)}"
        queue_mail("staff_sign_in", user.email, key, context)


def queue_password_changed(user: User) -> None:
    """Tell an account's owner that it has a new password."""
    _tell_owner(user, "password_changed", f"account {user.id} {user.password_version}")


def queue_email_changed(user: User, key: str) -> None:
    """Tell the holder of an account's address that another one replaces it."""
    _tell_owner(user, "email_changed", key)


def queue_second_factor_removed(user: User) -> None:
    """Tell an account's owner that staff have removed its second factor."""
    _tell_owner(user, "second_factor_removed", f"account {user.id} {utc_now().isoformat()}")


def _tell_owner(user: User, template: str, key: str) -> None:
    if user.email:
        context = {"user": user.id, "at": utc_now().isoformat()}
        queue_mail(template, user.email, key, context)


def _queue_order_mails(events: Sequence[EventRow]) -> None:
    if not events:
        return
    recipients = _recipients({event.subject_id for event in events})
    counts = _recent_counts({emails.key(to.email) for to in recipients.values() if to.is_guest})
    skipped = 0
    for event in events:
        to = recipients.get(event.subject_id)
        if to is None:
            continue
        key = emails.key(to.email)
        if to.is_guest and counts[key] >= MAX_FOR_GUEST:
            skipped += 1
            continue
        context = {"order": event.data["number"]}
        queue_mail(ORDER_TEMPLATES[event.type], to.email, f"event {event.seq}", context)
        counts[key] += 1
    if skipped:
        words = "%s mails about guests' orders are not sent: their addresses got %s within a day."
        log.warning(words, skipped, MAX_FOR_GUEST)


def _recipients(order_ids: Iterable[int]) -> dict[int, Recipient]:
    """The address of each order: the account's present one, or a guest's. Erased ones are left out."""
    address = func.coalesce(User.email, Order.email).label("address")
    query = select(Order.id, address, Order.user_id).outerjoin(User, User.id == Order.user_id)
    rows = db.session.execute(query.where(Order.id.in_(list(order_ids))))
    return {row.id: Recipient(row.address, row.user_id is None) for row in rows if row.address}


def _recent_counts(keys: Collection[str]) -> Counter[str]:
    """How many mails about orders each of these addresses got lately."""
    if not keys:
        return Counter()
    query = (
        select(Mail.recipient_key, func.count().label("number"))
        .where(Mail.recipient_key.in_(keys), Mail.template.in_(ORDER_TEMPLATES.values()))
        .where(Mail.created_at > seconds_from_now(-GUEST_SECONDS))
        .group_by(Mail.recipient_key)
    )
    return Counter({row.recipient_key: row.number for row in db.session.execute(query)})


def _queue_stock_mails(events: Sequence[EventRow]) -> None:
    """One mail for each MAX_VARIANTS articles that sold out meanwhile."""
    ids = sorted({event.subject_id for event in events})
    for start in range(0, len(ids), MAX_VARIANTS):
        key = f"event {events[0].seq} {start}"
        _tell_staff("stock_out", key, {"variants": ids[start : start + MAX_VARIANTS]})


def _tell_staff(template: str, key: str, context: dict[str, object]) -> None:
    for address in _staff_addresses():
        queue_mail(template, address, key, context)


def _staff_addresses() -> Sequence[str]:
    """The shop's own address; without one, those of active admins."""
    own = db.session.scalar(select(Store.email).where(Store.id == 1))
    if own:
        return [own]
    query = select(User.email).where(User.role == "admin", User.is_active, User.email.is_not(None))
    return [
        email for email in db.session.scalars(query.order_by(User.id).limit(MAX_STAFF)) if email
    ]

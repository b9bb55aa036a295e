"""Which events are told to whom by mail.

`queue_mails` is a subscriber of the event feed: it runs in the transaction that numbers the events, so
each event queues its mails once. What is no event, such as a parked job, is queued by the operation
that does it.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import func, select

from app.domain.clock import rfc3339, utc_now
from app.extensions import db
from app.models import Order, Session, Store, User, WebhookEndpoint
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
    for event in events:
        email = recipients.get(event.subject_id)
        if email:
            context = {"order": event.data["number"]}
            queue_mail(ORDER_TEMPLATES[event.type], email, f"event {event.seq}", context)


def _recipients(order_ids: Iterable[int]) -> dict[int, str | None]:
    """The address of each order: the account's present one, or a guest's."""
    address = func.coalesce(User.email, Order.email).label("address")
    query = select(Order.id, address).outerjoin(User, User.id == Order.user_id)
    rows = db.session.execute(query.where(Order.id.in_(list(order_ids))))
    return {row.id: row.address for row in rows}


def _queue_stock_mails(events: Sequence[EventRow]) -> None:
    """One mail for all articles that sold out meanwhile."""
    if events:
        ids = sorted({event.subject_id for event in events})[:MAX_VARIANTS]
        _tell_staff("stock_out", f"event {events[0].seq}", {"variants": ids})


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

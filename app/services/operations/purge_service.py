"""Removal of expired rows, in batches, and of unused picture files, while the shop sells.

New rows of these tables also remove expired ones (see `app.db.cleanup`). `flask purge` is for shops with
few new rows, or with a shorter CART_DAYS.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update

from app.domain.clock import utc_now
from app.domain.people.guessing import COUNT_LIFETIME
from app.extensions import db
from app.gateways.media import MediaStore
from app.models import (
    AccountToken,
    Base,
    Cart,
    Checkout,
    Event,
    IdempotencyKey,
    ImportJob,
    Job,
    LoginThrottle,
    Mail,
    Product,
    SecondFactor,
    SecurityEvent,
    Session,
    SignInStep,
    WebhookDelivery,
)
from app.services.accounts import account_tokens, second_factors, session_service
from app.services.accounts.throttle_service import PLACE_MARK
from app.services.buying import checkout_details
from app.services.imports import import_jobs
from app.services.messages import (
    event_feed,
    idempotency,
    job_queue,
    mail_service,
    webhook_deliveries,
)

BATCH = 1000
"""Rows in one transaction."""
PRODUCTS_AT_ONCE = 10_000
PICTURE_GRACE = timedelta(days=1)
"""How long an unused file stays: an upload saves the file before it changes the product."""


@dataclass(frozen=True)
class ExpiredRows:
    """The rows of one table that may be removed."""

    name: str
    table: type[Base]
    condition: ColumnElement[bool]


def expired_rows(cart_days: int, log_days: int) -> Sequence[ExpiredRows]:
    """What may be removed now.

    `cart_days`: how long a guest's cart is stored without a change. `log_days`: how long lines of the
    security log are stored.
    """
    now = utc_now()
    carts_before = now - timedelta(days=cart_days)
    entered_before = now - checkout_details.LIFETIME
    answers_before = now - idempotency.LIFETIME
    sessions_before = now - session_service.STORED_AFTER_EXPIRY
    failures_before = now - COUNT_LIFETIME
    imports_before = now - import_jobs.RETENTION
    lines_before = now - timedelta(log_days)
    return (
        ExpiredRows("carts", Cart, Cart.user_id.is_(None) & (Cart.updated_at < carts_before)),
        ExpiredRows("checkouts", Checkout, Checkout.created_at < entered_before),
        ExpiredRows(
            "idempotency keys", IdempotencyKey, IdempotencyKey.created_at <= answers_before
        ),
        ExpiredRows("sessions", Session, Session.expires_at < sessions_before),
        ExpiredRows("links of mails", AccountToken, account_tokens.expired()),
        ExpiredRows("sign-in steps", SignInStep, SignInStep.expires_at < now),
        ExpiredRows("unconfirmed second factors", SecondFactor, second_factors.is_abandoned()),
        ExpiredRows(
            "login throttles", LoginThrottle, LoginThrottle.last_failed_at < failures_before
        ),
        ExpiredRows("security events", SecurityEvent, SecurityEvent.at < lines_before),
        ExpiredRows("imports", ImportJob, ImportJob.updated_at < imports_before),
        ExpiredRows("jobs", Job, job_queue.expired()),
        ExpiredRows("webhook deliveries", WebhookDelivery, webhook_deliveries.expired()),
        ExpiredRows("events", Event, event_feed.expired()),
        ExpiredRows("mails", Mail, mail_service.expired()),
    )


def count(rows: ExpiredRows) -> int:
    """How many rows may be removed."""
    return db.session.scalar(select(func.count(rows.table.id)).where(rows.condition)) or 0


def remove_batch(rows: ExpiredRows, after: int) -> Sequence[int]:
    """Remove up to BATCH rows with ids above `after`, and return their ids; fewer at the end.

    Rows that another transaction has locked are skipped. Locking a row checks the condition again, so
    a cart that was changed meanwhile stays.
    """
    old = select(rows.table.id).where(rows.condition, rows.table.id > after)
    ids = db.session.scalars(
        old.order_by(rows.table.id).limit(BATCH).with_for_update(skip_locked=True)
    ).all()
    db.session.execute(
        delete(rows.table)
        .where(rows.table.id.in_(ids))
        .execution_options(synchronize_session=False)
    )
    return ids


def count_plain_places() -> int:
    """How many sessions hold an unkeyed hash of a network, which can be reversed by trying all addresses."""
    return db.session.scalar(select(func.count(Session.id)).where(_PLAIN_PLACE)) or 0


def erase_plain_places() -> int:
    """Erase up to BATCH such hashes, which older releases wrote; how many. Fewer at the end."""
    query = select(Session.id).where(_PLAIN_PLACE).limit(BATCH).with_for_update(skip_locked=True)
    ids = db.session.scalars(query).all()
    db.session.execute(
        update(Session).where(Session.id.in_(ids)).values(place=None),
        execution_options={"synchronize_session": False},
    )
    return len(ids)


_PLAIN_PLACE = Session.place.is_not(None) & ~Session.place.startswith(PLACE_MARK)


def orphaned_pictures(media: MediaStore) -> list[str]:
    """Names of files that are older than a day and that no product refers to, not even a deleted one."""
    names = list(media.saved_before(utc_now() - PICTURE_GRACE))
    in_use = set(_pictures_in_use()) if names else set()
    return [name for name in names if name.partition("-")[0] not in in_use]


def remove_pictures(media: MediaStore, names: Iterable[str]) -> int:
    """Remove orphaned files; how many. A file that was saved again meanwhile stays."""
    before = utc_now() - PICTURE_GRACE
    return sum(media.discard(name, before) for name in names)


def _pictures_in_use() -> Iterator[str]:
    after = 0
    query = select(Product.id, Product.images).where(Product.images != [])
    while True:
        batch = query.where(Product.id > after).order_by(Product.id).limit(PRODUCTS_AT_ONCE)
        rows = db.session.execute(batch).all()
        for row in rows:
            yield from (image["id"] for image in row.images)
        if len(rows) < PRODUCTS_AT_ONCE:
            return
        after = rows[-1].id

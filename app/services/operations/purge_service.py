"""What nobody needs any more, removed while the shop sells: rows in batches, and files of pictures.

Most of these rows also go along with new ones (see `sweeping`); a shop that is quiet for a while, or
whose carts are to go sooner, has them removed by the clock.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, select, update

from app.domain.clock import utc_now
from app.domain.people.guessing import FORGOTTEN_AFTER
from app.extensions import db
from app.gateways.media import MediaStore
from app.models import (
    Base,
    Cart,
    IdempotencyKey,
    ImportJob,
    LoginThrottle,
    Product,
    SecurityEvent,
    Session,
)
from app.services.accounts import session_service
from app.services.accounts.throttle_service import PLACE_MARK
from app.services.audit import security_log
from app.services.imports import import_jobs
from app.services.messages import idempotency

BATCH = 1000
"""Rows a transaction."""
PRODUCTS_AT_ONCE = 10_000
PICTURES_KEPT = timedelta(days=1)
"""For how long a file waits for a product: it is saved before the product is changed."""


@dataclass(frozen=True)
class Remains:
    """Rows of one table that nobody needs any more."""

    name: str
    table: type[Base]
    forgotten: ColumnElement[bool]


def remains(cart_days: int, log_days: int) -> Sequence[Remains]:
    """What may go now; `cart_days` is for how long a guest's cart waits without a change, `log_days`
    for how long the security log is kept."""
    now = utc_now()
    carts_before = now - timedelta(days=cart_days)
    answers_before = now - idempotency.LIFETIME
    sessions_before = now - session_service.STORED_AFTER_EXPIRY
    failures_before = now - FORGOTTEN_AFTER
    imports_before = now - import_jobs.RETENTION
    return (
        Remains("carts", Cart, Cart.user_id.is_(None) & (Cart.updated_at < carts_before)),
        Remains("idempotency keys", IdempotencyKey, IdempotencyKey.created_at <= answers_before),
        Remains("sessions", Session, Session.expires_at < sessions_before),
        Remains("login throttles", LoginThrottle, LoginThrottle.last_failed_at < failures_before),
        Remains("security events", SecurityEvent, security_log.is_older(now - timedelta(log_days))),
        Remains("imports", ImportJob, ImportJob.updated_at < imports_before),
    )


def count(kind: Remains) -> int:
    """How many rows may go."""
    return db.session.scalar(select(func.count(kind.table.id)).where(kind.forgotten)) or 0


def remove_batch(kind: Remains, after: int) -> Sequence[int]:
    """Remove the next rows whose ids come after one; their ids, fewer than BATCH at the end.

    A row that somebody holds is left for the next time. One that was changed since is looked at
    anew when it is locked, so a cart that is written meanwhile stays, or is gone before that.
    """
    old = select(kind.table.id).where(kind.forgotten, kind.table.id > after)
    ids = db.session.scalars(
        old.order_by(kind.table.id).limit(BATCH).with_for_update(skip_locked=True)
    ).all()
    db.session.execute(
        delete(kind.table)
        .where(kind.table.id.in_(ids))
        .execution_options(synchronize_session=False)
    )
    return ids


def count_plain_places() -> int:
    """How many sessions hold a plain hash of a network, which trying all addresses finds out."""
    return db.session.scalar(select(func.count(Session.id)).where(_PLAIN_PLACE)) or 0


def erase_plain_places() -> int:
    """Erase some of them, as older releases wrote them: how many, fewer than BATCH at the end."""
    rows = select(Session.id).where(_PLAIN_PLACE).limit(BATCH).with_for_update(skip_locked=True)
    ids = db.session.scalars(rows).all()
    db.session.execute(
        update(Session).where(Session.id.in_(ids)).values(place=None),
        execution_options={"synchronize_session": False},
    )
    return len(ids)


_PLAIN_PLACE = Session.place.is_not(None) & ~Session.place.startswith(PLACE_MARK)


def orphaned_pictures(media: MediaStore) -> list[str]:
    """The names of files that no product refers to, deleted products included, for a day or more."""
    names = list(media.saved_before(utc_now() - PICTURES_KEPT))
    used = set(_pictures_in_use()) if names else set()
    return [name for name in names if name.partition("-")[0] not in used]


def remove_pictures(media: MediaStore, names: Iterable[str]) -> int:
    """Remove orphaned files; how many. One that is wanted again since then stays."""
    before = utc_now() - PICTURES_KEPT
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

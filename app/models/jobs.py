"""Work that the worker carries out: `app.services.messages.job_queue` has its operations."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import IDS_USED_ONCE, Base, partial_index
from app.domain.clock import utc_now


class Job(Base):
    """One piece of work, stored in the transaction that makes it necessary.

    `waiting` jobs are carried out once `due_at` has come. While one runs, `leased_until` and `due_at`
    are the end of the worker's lease: a job whose worker died is due again then. `done` jobs stay for
    a while, because their key keeps the same work from being stored again. `parked` jobs failed too
    often and wait for staff. Times are the database's.
    """

    __tablename__ = "jobs"
    __table_args__ = (
        UniqueConstraint("kind", "key"),
        CheckConstraint("status IN ('waiting', 'done', 'parked')", name="status_known"),
        CheckConstraint("tries >= 0", name="tries_not_negative"),
        CheckConstraint("status = 'waiting' OR leased_until IS NULL", name="only_waiting_leased"),
        CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name="ended_when_over"),
        partial_index("ix_jobs_due_at_id", "due_at", "id", where="status = 'waiting'"),
        Index("ix_jobs_status_ended_at", "status", "ended_at"),
        IDS_USED_ONCE,
    )

    kind: Mapped[str] = mapped_column(String(40))
    # Names the occasion: of one kind, each key is carried out once.
    key: Mapped[str] = mapped_column(String(200))
    # Ids and settings of the work; no personal data, no secrets.
    body: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    status: Mapped[str] = mapped_column(String(10), default="waiting", server_default="waiting")
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    due_at: Mapped[datetime]
    leased_until: Mapped[datetime | None]
    # How often it was begun. A worker may end a job only while this is the number that it began with.
    tries: Mapped[int] = mapped_column(default=0, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]

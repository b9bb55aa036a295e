"""Receivers of webhooks, and what is delivered to them."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.db.base import IDS_USED_ONCE, Base, Json, partial_index
from app.domain.clock import utc_now
from app.models.timestamps import Timestamped


class WebhookEndpoint(Timestamped, Base):
    """The address of another system that is told of events.

    After a failure nothing is sent to it until `paused_until`. Secrets are
    encrypted (`app.encryption`). While `old_secret_until` lies ahead, deliveries are signed with both.
    """

    __tablename__ = "webhook_endpoints"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures_not_negative"), IDS_USED_ONCE)

    url: Mapped[str] = mapped_column(Text)
    # Types of events; none stands for all.
    types: Mapped[list[str]] = mapped_column(Json, default=list, server_default="[]")
    description: Mapped[str] = mapped_column(String(200), default="", server_default="")
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    secret: Mapped[str] = mapped_column(Text)
    old_secret: Mapped[str | None] = mapped_column(Text)
    # The key that both are encrypted under (`app.encryption.key_id`).
    key_id: Mapped[str] = mapped_column(String(16))
    old_secret_until: Mapped[datetime | None]
    # How often it failed since it last took a delivery.
    failures: Mapped[int] = mapped_column(default=0, server_default="0")
    paused_until: Mapped[datetime | None]
    # Why staff should look at it: a delivery is dead, or it answered 410.
    trouble: Mapped[str | None] = mapped_column(String(200))

    @property
    def is_paused(self) -> bool:
        """Whether nothing is sent to it now, after a failure."""
        return self.paused_until is not None and self.paused_until > utc_now()


class WebhookDelivery(Base):
    """One event for one endpoint. Of one subject, the next is sent after the one before has ended."""

    __tablename__ = "webhook_deliveries"
    __table_args__ = (
        UniqueConstraint("endpoint_id", "event_seq"),
        CheckConstraint("status IN ('waiting', 'delivered', 'dead')", name="status_known"),
        CheckConstraint("attempts >= 0", name="attempts_not_negative"),
        CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name="ended_when_over"),
        Index("ix_webhook_deliveries_endpoint_id_id", "endpoint_id", "id"),
        *(
            partial_index(f"ix_webhook_deliveries_{name}", *columns, where="status = 'waiting'")
            for name, columns in (
                ("waiting", ("endpoint_id", "event_seq")),
                ("of_subject", ("endpoint_id", "subject_kind", "subject_id", "event_seq")),
            )
        ),
        IDS_USED_ONCE,
    )

    endpoint_id: Mapped[int] = mapped_column(ForeignKey("webhook_endpoints.id", ondelete="CASCADE"))
    event_seq: Mapped[int]
    type: Mapped[str] = mapped_column(String(40))
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int]
    # What is sent, byte for byte, at each attempt.
    body: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(10), default="waiting", server_default="waiting")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    # The last answer's status, or why there was none.
    last_status: Mapped[int | None]
    last_error: Mapped[str | None] = mapped_column(String(200))
    last_milliseconds: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    # From when on its three days count: `created_at`, or when staff sent it again.
    begun_at: Mapped[datetime] = mapped_column(default=utc_now)
    next_at: Mapped[datetime] = mapped_column(default=utc_now)
    ended_at: Mapped[datetime | None]
    # How often staff sent it again.
    resends: Mapped[int] = mapped_column(default=0, server_default="0")

    endpoint: Mapped[WebhookEndpoint] = relationship(lazy="raise")

"""Mails to send: `app.services.messages.mail_service` has their operations."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import IDS_USED_ONCE, Base
from app.domain.clock import utc_now


class Mail(Base):
    """One mail to one recipient: which template, about what, and whether it was sent.

    Address and error are personal data: the row is deleted with the person's account or on their
    request, and anyway after `mail_service.STORED`. A row holds no text and no secret. Both are made
    when the mail is sent.
    """

    __tablename__ = "mails"
    __table_args__ = (
        # The address comes first, so that the index also finds all mails of a person.
        UniqueConstraint("recipient_key", "template", "key"),
        CheckConstraint("status IN ('waiting', 'sent', 'failed')", name="status_known"),
        CheckConstraint("(status = 'waiting') = (ended_at IS NULL)", name="ended_when_over"),
        CheckConstraint("open_tries >= 0", name="open_tries_not_negative"),
        Index("ix_mails_status_id", "status", "id"),
        Index("ix_mails_created_at", "created_at"),
        IDS_USED_ONCE,
    )

    template: Mapped[str] = mapped_column(String(40))
    # Names the occasion, such as an event: each recipient gets one mail of a template for it.
    key: Mapped[str] = mapped_column(String(200))
    recipient: Mapped[str] = mapped_column(String(254))
    recipient_key: Mapped[str] = mapped_column(String(254))
    # Ids of what the mail is about.
    context: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    status: Mapped[str] = mapped_column(String(10), default="waiting", server_default="waiting")
    # The part before the @ of its Message-ID: every try sends the same message.
    message_id: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    # Tries of which nobody knows how they ended: the one that runs, and those whose worker died.
    open_tries: Mapped[int] = mapped_column(default=0, server_default="0")
    error: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]

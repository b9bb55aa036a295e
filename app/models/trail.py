"""The audit trail: what staff and commands have changed."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.domain.clock import utc_now
from app.models.base import Base


class AuditEvent(Base):
    """One change: who, by which door, of what, and the fields before and after.

    Triggers refuse to change or delete a row. It holds ids and values of the shop's own things,
    never personal ones, and refers to nothing by a foreign key: it outlives what it tells of.
    """

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_subject_subject_id_id", "subject", "subject_id", "id"),
        Index("ix_audit_events_user_id_id", "user_id", "id"),
    )

    at: Mapped[datetime] = mapped_column(default=utc_now)
    user_id: Mapped[int | None]
    door: Mapped[str] = mapped_column(String(10))
    action: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int | None]
    # {"price": [1200, 1500]}: before and after, money in minor units.
    changes: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

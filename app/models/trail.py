"""The audit trail (changes by staff and commands) and the security log (sign-ins and failures)."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.domain.clock import utc_now


class AuditEvent(Base):
    """One change: by whom, through which interface (`door`), of what, and the fields before and after.

    Triggers refuse to change or delete a row. A row holds ids and values of the shop's own data, no
    personal data. It has no foreign keys, because it outlives the rows that it refers to.
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


class SecurityEvent(Base):
    """One line of the security log: a sign-in, a failure or an export, or several equal ones.

    It holds the client's network address unhashed and is stored for SECURITY_LOG_DAYS. It has no
    foreign keys.
    """

    __tablename__ = "security_events"
    __table_args__ = (
        Index("ix_security_events_kind_at", "kind", "at"),
        Index("ix_security_events_user_id_id", "user_id", "id"),
        Index("ix_security_events_address_id", "address", "id"),
    )

    # The time of the first event of the line.
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    kind: Mapped[str] = mapped_column(String(30))
    # The account; null if there are several or none.
    user_id: Mapped[int | None]
    # The network if there are several addresses of one; null if unknown, or if there are many networks.
    address: Mapped[str | None] = mapped_column(String(60))
    detail: Mapped[str] = mapped_column(Text, default="", server_default="")
    count: Mapped[int] = mapped_column(default=1, server_default="1")
    # A hash of the minute, the kind and what else the events of one line have in common.
    bucket: Mapped[str] = mapped_column(String(64), unique=True)

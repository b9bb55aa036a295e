"""The audit trail: what staff and commands have changed. The security log: who signed in from where."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base
from app.domain.clock import utc_now


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


class SecurityEvent(Base):
    """One line of the security log, or several alike: a sign-in, a failure, an export.

    It holds the client's address in clear, which is what it is for, and is kept for
    SECURITY_LOG_DAYS. It refers to nothing by a foreign key.
    """

    __tablename__ = "security_events"
    __table_args__ = (
        Index("ix_security_events_kind_at", "kind", "at"),
        Index("ix_security_events_user_id_id", "user_id", "id"),
        Index("ix_security_events_address_id", "address", "id"),
    )

    # The first of those that the line stands for.
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    kind: Mapped[str] = mapped_column(String(30))
    # Whose account it is about; null where there are several, or none.
    user_id: Mapped[int | None]
    # The network where there are several of one; null where it is not known, or of many networks.
    address: Mapped[str | None] = mapped_column(String(60))
    detail: Mapped[str] = mapped_column(Text, default="", server_default="")
    count: Mapped[int] = mapped_column(default=1, server_default="1")
    # Names the minute, the network and the kind that are counted in one line.
    bucket: Mapped[str] = mapped_column(String(64), unique=True)

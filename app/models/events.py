"""What happened in the shop: `app.services.messages.event_feed` has its operations."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, partial_index
from app.domain.clock import utc_now
from app.domain.event_types import SUBJECT_KINDS


class Event(Base):
    """One thing that happened, stored by a trigger in the transaction of the change (migration 0051).

    So a change that stands has its event, whichever release or command makes it, and one that is
    rolled back has none. `seq` is null until `event_feed.number` numbers the committed rows.

    Rows hold ids and the shop's own data, no personal data. They have no foreign keys, because they
    outlive what they refer to.
    """

    __tablename__ = "events"
    __table_args__ = (
        CheckConstraint(
            f"subject_kind IN ({', '.join(map(repr, SUBJECT_KINDS))})", name="subject_kind_known"
        ),
        CheckConstraint("seq >= 1", name="seq_positive"),
        Index("uq_events_seq", "seq", unique=True),
        Index("ix_events_subject_kind_subject_id_id", "subject_kind", "subject_id", "id"),
        Index("ix_events_type_seq", "type", "seq"),
        partial_index("ix_events_unnumbered", "id", where="seq IS NULL"),
    )

    seq: Mapped[int | None]
    type: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(default=utc_now, index=True)
    subject_kind: Mapped[str] = mapped_column(String(20))
    subject_id: Mapped[int]
    # Ids, numbers and amounts in minor units.
    data: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

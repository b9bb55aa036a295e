"""When a row was made and last changed."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.domain.clock import utc_now


class Timestamped:
    """Rows that know when they were made and last changed (UTC)."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

"""The times at which a row was created and last changed."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.domain.clock import utc_now


class Timestamped:
    """A mixin with the times (UTC) at which a row was created and last changed."""

    created_at: Mapped[datetime] = mapped_column(default=utc_now)
    updated_at: Mapped[datetime] = mapped_column(default=utc_now, onupdate=utc_now)

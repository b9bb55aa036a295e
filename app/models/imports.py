"""Product lists that staff have uploaded, and how far they are taken in."""

from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Json
from app.models.timestamps import Timestamped

RUNNING = ("checking", "importing")
"""What goes on by itself; `checked` waits for a person, `done` is the end."""


class ImportJob(Timestamped, Base):
    """A product list on its way: checked whole, then, when somebody says so, taken in.

    `line` is where the next row begins. It moves in the same transaction as what the rows before
    it did, so that no row is left out or taken twice, whatever happens in between.
    """

    __tablename__ = "import_jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('checking', 'checked', 'importing', 'done')", name="status_known"
        ),
        Index("ix_import_jobs_updated_at", "updated_at"),
    )

    # Who uploaded it, and later who had it taken in.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(200))
    size: Mapped[int]
    lines: Mapped[int]
    line: Mapped[int] = mapped_column(default=0, server_default="0")
    status: Mapped[str] = mapped_column(String(10), default="checking", server_default="checking")
    # The file and the SKUs that stand in it several times; gone when they are of no more use.
    file: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    repeated: Mapped[list[str]] = mapped_column(
        Json, default=list, server_default="[]", deferred=True, deferred_raiseload=True
    )
    # What the check has to remember from one batch to the next.
    memory: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    preview: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")
    report: Mapped[dict[str, Any]] = mapped_column(default=dict, server_default="{}")

    @property
    def is_running(self) -> bool:
        """Whether there is a batch to be done."""
        return self.status in RUNNING

    @property
    def can_be_undone(self) -> bool:
        """Whether there is something that it changed, which was not put back yet. Imports of
        releases that did not note where they began cannot be."""
        changed = self.status == "done" and self.report.get("updated") and "oldest" in self.report
        return bool(changed) and not self.report.get("undo", {}).get("is_done")

    @property
    def percent(self) -> int:
        """How much of the file is behind the cursor."""
        return min(100, 100 * max(0, self.line - 1) // max(1, self.lines))

"""Product lists that staff have uploaded, and how far they are imported."""

from typing import Any, TypedDict

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.db.base import Base, Json
from app.models.timestamps import Timestamped

RUNNING = ("checking", "importing")
"""The page works on these by itself; `checked` waits for a person, `done` is the end."""


class ImportReport(TypedDict, total=False):
    """What rows do, in a preview, or did: how many, and some of them by line."""

    unknown: list[str]
    created: int
    updated: int
    unchanged: int
    categories: int
    refused: int
    told: list[tuple[int, str]]
    stayed: dict[str, int]
    samples: list[dict[str, Any]]
    oldest: int
    undo: dict[str, Any]


class JobMemory(TypedDict, total=False):
    """What a check remembers from batch to batch: the paths of categories that are to be created."""

    planned: list[list[str]]


class ImportJob(Timestamped, Base):
    """An uploaded product list: it is checked as a whole and then, on demand, imported.

    `line` is where the next row begins. It moves in the transaction that applies the rows before
    it, so that no row is left out or applied twice, whatever happens in between.
    """

    __tablename__ = "import_jobs"
    __table_args__ = (
        CheckConstraint(
            "status IN ('checking', 'checked', 'importing', 'done')", name="status_known"
        ),
        Index("ix_import_jobs_updated_at", "updated_at"),
    )

    # Who uploaded it, and later who started the import.
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    name: Mapped[str] = mapped_column(String(200))
    size: Mapped[int]
    lines: Mapped[int]
    line: Mapped[int] = mapped_column(default=0, server_default="0")
    status: Mapped[str] = mapped_column(String(10), default="checking", server_default="checking")
    # The file, and of the SKUs of several rows the line of the first; deleted at the end.
    file: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True, deferred_raiseload=True)
    repeated: Mapped[dict[str, int]] = mapped_column(
        Json, default=dict, server_default="[]", deferred=True, deferred_raiseload=True
    )
    memory: Mapped[JobMemory] = mapped_column(Json, default=dict, server_default="{}")
    preview: Mapped[ImportReport] = mapped_column(Json, default=dict, server_default="{}")
    report: Mapped[ImportReport] = mapped_column(Json, default=dict, server_default="{}")

    @property
    def is_running(self) -> bool:
        """Whether batches are left."""
        return self.status in RUNNING

    @property
    def can_be_undone(self) -> bool:
        """Whether it changed something that was not put back yet.

        Jobs of releases that did not store `oldest` cannot be undone.
        """
        changed = self.status == "done" and self.report.get("updated") and "oldest" in self.report
        return bool(changed) and not self.report.get("undo", {}).get("is_done")

    @property
    def percent(self) -> int:
        """How much of the file is done."""
        return min(100, 100 * max(0, self.line - 1) // max(1, self.lines))

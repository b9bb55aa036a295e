"""Upkeep that runs by itself: expired rows and unused files go, and the books are proved."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flask import current_app

from app.db.unit_of_work import in_transaction, open_snapshot
from app.domain.clock import utc_now
from app.gateways import mail, media
from app.observability import task_status
from app.services.accounts import second_factors
from app.services.audit import books
from app.services.messages import mail_service, webhook_endpoints
from app.services.messages.job_queue import ClaimedJob
from app.services.operations import purge_service
from app.services.operations.purge_service import BATCH, ExpiredRows

SHORTEST_REST = 0.02
"""Seconds between two batches."""
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PurgeCounts:
    """What a purge removed, or would remove."""

    rows: Sequence[tuple[str, int]]
    """The number of rows by the name of what they are."""
    pictures: int
    places: int
    """Sessions whose unkeyed hash of a network was erased."""


class BooksWrong(Exception):
    """The audit has found violations, which the log names."""


def purge(dry_run: bool = False) -> PurgeCounts:
    """Remove what has expired, in transactions of at most BATCH rows, with rests between them. Also
    encrypts anew what was encrypted under an earlier key."""
    config = current_app.config
    handle_rows = purge_service.count if dry_run else _remove
    expired = purge_service.expired_rows(config["CART_DAYS"], config["SECURITY_LOG_DAYS"])
    rows = [(kind.name, handle_rows(kind)) for kind in expired]
    if not dry_run:
        renew_encryption()
    handle_places = purge_service.count_plain_places if dry_run else _erase_plain_places
    places = handle_places()
    names = purge_service.orphaned_pictures(media.store())
    pictures = len(names) if dry_run else purge_service.remove_pictures(media.store(), names)
    return PurgeCounts(rows, pictures, places)


def carry_out_purge(_job: ClaimedJob) -> None:
    """Purge, and record for `/metrics` how it ended."""
    with task_status.recording(Path(current_app.config["STATUS_FOLDER"]), "purge"):
        purge()
        if folder := mail.folder():
            folder.remove_before(utc_now() - mail_service.STORED)


def audit(report: Callable[[str], object]) -> int:
    """Check the books in one snapshot; each violation is passed to `report`. How many there are."""
    open_snapshot()
    count = 0
    for line in books.violations():
        report(line)
        count += 1
    return count


def carry_out_audit(_job: ClaimedJob) -> None:
    """Check the books, and record for `/metrics` how it ended.

    Raises:
        BooksWrong: there are violations.
    """
    with task_status.recording(Path(current_app.config["STATUS_FOLDER"]), "audit") as run:
        run.value = count = audit(partial(log.error, "The books are wrong: %s"))
        if count:
            raise BooksWrong(f"{count} violations; `flask audit` names them.")


def renew_encryption() -> None:
    """Encrypt secrets that were encrypted under an earlier SECRET_KEY under the present one."""
    in_transaction(webhook_endpoints.renew_encryption)
    ids = [0]
    while ids:
        start = time.monotonic()
        ids = in_transaction(partial(second_factors.renew_encryption, ids[-1]))
        if ids:
            _rest(start)


def _erase_plain_places() -> int:
    erased = 0
    while True:
        start = time.monotonic()
        count = in_transaction(purge_service.erase_plain_places)
        erased += count
        if count < BATCH:
            return erased
        _rest(start)


def _remove(rows: ExpiredRows) -> int:
    removed = after = 0
    while True:
        start = time.monotonic()
        ids = in_transaction(partial(purge_service.remove_batch, rows, after))
        removed += len(ids)
        if len(ids) < BATCH:
            return removed
        after = ids[-1]
        _rest(start)


def _rest(start: float) -> None:
    # SQLite has one writer at a time: the shop gets at least half of the time.
    time.sleep(max(SHORTEST_REST, time.monotonic() - start))

"""`purge`: removes expired rows and unused files."""

import time
from functools import partial
from pathlib import Path

import click
from flask import current_app

from app.cli.shell import command
from app.db.unit_of_work import in_transaction
from app.gateways import media
from app.observability import task_status
from app.services.operations import purge_service
from app.services.operations.purge_service import BATCH, ExpiredRows

SHORTEST_REST = 0.02
"""Seconds between two batches."""


@command("purge")
@click.option("--dry-run", is_flag=True, help="Tell what would go, and change nothing.")
def purge(dry_run: bool) -> None:
    """Remove what nobody needs any more: old guests' carts, stored answers, sessions, counts of
    failed sign-ins, lines of the security log, uploaded lists, and files of pictures that no product shows.

    Runs while the shop sells, in transactions of at most 1,000 rows, and rests between them. May
    be interrupted at any time, and run again.
    """
    if dry_run:
        _purge(dry_run)
        return
    with task_status.recording(Path(current_app.config["STATUS_FOLDER"]), "purge"):
        _purge(dry_run)


def _purge(dry_run: bool) -> None:
    config = current_app.config
    counts = [
        f"{purge_service.count(rows) if dry_run else _remove(rows)} {rows.name}"
        for rows in purge_service.expired_rows(config["CART_DAYS"], config["SECURITY_LOG_DAYS"])
    ]
    count_places = purge_service.count_plain_places if dry_run else _erase_plain_places
    places = count_places()
    names = purge_service.orphaned_pictures(media.store())
    files = len(names) if dry_run else purge_service.remove_pictures(media.store(), names)
    result = "would go. A dry run: nothing was changed." if dry_run else "removed."
    click.echo(f"purge: {', '.join(counts)}, {files} files of pictures {result}")
    if places:
        click.echo(f"purge: plain hashes of networks in {places} sessions {result}")


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

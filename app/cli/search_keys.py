"""`renew-search-keys`: renews the columns by which rows are searched, after a release."""

import time
from collections.abc import Callable
from functools import partial

import click

from app.cli.shell import command, progress
from app.db.unit_of_work import end_session, in_transaction
from app.services.operations.lookup_words import KINDS, SearchKeys

SHORTEST_REST = 0.02
"""Seconds between two batches."""
PASSES = 20
PAUSE = 0.5
"""Seconds between two passes, for edits that are under way."""


@command("renew-search-keys")
def renew_search_keys() -> None:
    """Renew the words by which products, orders and customers are found, where another release wrote them.

    A release may change how words are folded and stored. Run this once all servers run that release.
    It works while the shop sells, in transactions of 500 rows, and rests between them. It may be
    interrupted at any time and run again: each row says whether it is up to date. The exit code is 1
    if rows remain that others were editing.
    """
    remaining = [name for name, keys in KINDS.items() if _renew_kind(name, keys)]
    if remaining:
        raise click.ClickException(f"some {', '.join(remaining)} are being edited: run it again.")


def _renew_kind(name: str, keys: SearchKeys) -> bool:
    """Renew the rows of a table; whether some are still outdated."""
    outdated = keys.count_outdated()
    end_session()
    total = 0
    with progress(outdated or None, f"renew-search-keys: {name}") as advance:
        for _ in range(PASSES):
            if not outdated:
                break
            count = _renew_all(keys, advance)
            total += count
            outdated = keys.count_outdated(limit=1)
            end_session()
            if outdated and not count:
                time.sleep(PAUSE)
    click.echo(f"renew-search-keys: {total} {name} renewed.")
    return bool(outdated)


def _renew_all(keys: SearchKeys, advance: Callable[[int], None]) -> int:
    """Renew all outdated rows that nobody edits; how many."""
    count = after = 0
    while True:
        start = time.monotonic()
        ids = in_transaction(partial(keys.renew_batch, after))
        count += len(ids)
        advance(len(ids))
        if len(ids) < keys.BATCH:
            return count
        after = ids[-1]
        # SQLite has one writer at a time: the shop gets at least half of the time.
        time.sleep(max(SHORTEST_REST, time.monotonic() - start))

"""`renew-search-keys`: renews the columns by which products are searched, after a release."""

import time
from collections.abc import Callable
from functools import partial

import click

from app.cli.shell import command, progress
from app.db.unit_of_work import end_session, in_transaction
from app.services.catalogue import search_keys

SHORTEST_REST = 0.02
"""Seconds between two batches."""
PASSES = 20
PAUSE = 0.5
"""Seconds between two passes, for edits that are under way."""


@command("renew-search-keys")
def renew_search_keys() -> None:
    """Renew the words by which products are found, where another release wrote them.

    A release may change how words are folded and stored. Run this once all servers run that release.
    It works while the shop sells, in transactions of 500 products, and rests between them. It may be
    interrupted at any time and run again: each product says whether it is up to date. The exit code
    is 1 if products remain that others were editing.
    """
    outdated = search_keys.count_outdated()
    end_session()
    renewed = 0
    with progress(outdated or None, "renew-search-keys") as advance:
        for _ in range(PASSES):
            if not outdated:
                break
            count = _renew_all(advance)
            renewed += count
            outdated = search_keys.count_outdated(limit=1)
            end_session()
            if outdated and not count:
                time.sleep(PAUSE)
    click.echo(f"renew-search-keys: {renewed} products renewed.")
    if outdated:
        raise click.ClickException("some products are being edited: run it again.")


def _renew_all(advance: Callable[[int], None]) -> int:
    """Renew all outdated products that nobody edits; how many."""
    renewed = after = 0
    while True:
        start = time.monotonic()
        ids = in_transaction(partial(search_keys.renew_batch, after))
        renewed += len(ids)
        advance(len(ids))
        if len(ids) < search_keys.BATCH:
            return renewed
        after = ids[-1]
        # SQLite has one writer at a time: the shop gets at least half of the time.
        time.sleep(max(SHORTEST_REST, time.monotonic() - start))

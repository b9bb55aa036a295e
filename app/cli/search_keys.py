"""`renew-search-keys`: renews the columns by which rows are searched, after a release."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import click

from app.cli.shell import command, progress
from app.db.unit_of_work import end_session, in_transaction
from app.services.catalogue import search_keys
from app.services.operations import lookup_words

SHORTEST_REST = 0.02
"""Seconds between two batches."""
PASSES = 20
PAUSE = 0.5
"""Seconds between two passes, for edits that are under way."""


class SearchKeys(Protocol):
    """The columns by which the rows of one table are searched."""

    BATCH: int

    def count_outdated(self, limit: int | None = None) -> int:
        """How many rows have columns of another version, counted up to `limit`."""

    def renew_batch(self, after: int) -> Sequence[int]:
        """Renew up to BATCH outdated rows with ids above `after`; returns their ids."""


KINDS: Mapping[str, SearchKeys] = {
    "products": search_keys,
    "orders": lookup_words.ORDERS,
    "customers": lookup_words.CUSTOMERS,
}


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
    renewed = 0
    with progress(outdated or None, f"renew-search-keys: {name}") as advance:
        for _ in range(PASSES):
            if not outdated:
                break
            count = _renew_all(keys, advance)
            renewed += count
            outdated = keys.count_outdated(limit=1)
            end_session()
            if outdated and not count:
                time.sleep(PAUSE)
    click.echo(f"renew-search-keys: {renewed} {name} renewed.")
    return bool(outdated)


def _renew_all(keys: SearchKeys, advance: Callable[[int], None]) -> int:
    """Renew all outdated rows that nobody edits; how many."""
    renewed = after = 0
    while True:
        start = time.monotonic()
        ids = in_transaction(partial(keys.renew_batch, after))
        renewed += len(ids)
        advance(len(ids))
        if len(ids) < keys.BATCH:
            return renewed
        after = ids[-1]
        # SQLite has one writer at a time: the shop gets at least half of the time.
        time.sleep(max(SHORTEST_REST, time.monotonic() - start))

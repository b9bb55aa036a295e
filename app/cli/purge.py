"""`purge`: removes expired rows and unused files."""

from pathlib import Path

import click
from flask import current_app

from app.cli.shell import command
from app.jobs import upkeep
from app.observability import task_status


@command("purge")
@click.option("--dry-run", is_flag=True, help="Tell what would go, and change nothing.")
def purge(dry_run: bool) -> None:
    """Remove what nobody needs any more: old guests' carts, stored answers, sessions, counts of
    failed sign-ins, lines of the security log, uploaded lists, jobs that are done, and files of
    pictures that no product shows.

    Runs while the shop sells, in transactions of at most 1,000 rows, and rests between them. May
    be interrupted at any time, and run again. `flask work` does the same once an hour.
    """
    if dry_run:
        _purge(dry_run)
        return
    with task_status.recording(Path(current_app.config["STATUS_FOLDER"]), "purge"):
        _purge(dry_run)


def _purge(dry_run: bool) -> None:
    counts = upkeep.purge(dry_run)
    rows = ", ".join(f"{count} {name}" for name, count in counts.rows)
    result = "would go. A dry run: nothing was changed." if dry_run else "removed."
    click.echo(f"purge: {rows}, {counts.pictures} files of pictures {result}")
    if counts.places:
        click.echo(f"purge: plain hashes of networks in {counts.places} sessions {result}")

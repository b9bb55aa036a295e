"""For releases: the state of the database's schema, and which releases can serve on it."""

import click
from flask import current_app

from app.cli.shell import command, complain
from app.services.operations import schema_service
from app.services.operations.schema_service import UnknownRevision

UNKNOWN = 3
"""Exit code: this release does not have the migration."""


@command("schema-state")
@click.option("--serving", metavar="HEAD", help="The newest migration of another release.")
def schema_state(serving: str | None) -> None:
    """Print how the database's schema stands to this release.

    One word: `empty`, `behind` (run `flask db upgrade`), `current`, or `ahead` (a later release has
    migrated it). With `--serving`, check first that servers of another release, whose newest
    migration is HEAD (`flask db heads`), can serve once this release has migrated. Exits 1 if a
    migration drops what they read, 3 if HEAD is not known here: then that release is the later one.
    """
    if serving is not None:
        _check(serving)
    click.echo(schema_service.state(_migrations()))


def _check(head: str) -> None:
    try:
        can_serve = schema_service.can_serve(head, _migrations())
    except UnknownRevision:
        complain(f"This release has no migration {head}.")
        raise click.exceptions.Exit(UNKNOWN) from None
    if not can_serve:
        raise click.ClickException(
            f"A release whose newest migration is {head} cannot serve on this schema; the oldest"
            f" that can has {schema_service.oldest_revision(_migrations())}."
        )


def _migrations() -> str:
    return str(current_app.extensions["migrate"].directory)

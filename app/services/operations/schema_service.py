"""Which releases can serve on which schema. Deploying a release, or an earlier one again, relies on it.

Migrations only add, so that the servers of earlier releases can serve on a newer schema
(CONTRIBUTING.md, "Changing the schema"). The exception is a migration that drops something. It names
the oldest migration whose servers no longer read what it drops: `contract = "<revision>"`.
"""

from functools import cache
from typing import Literal

from alembic.script import Script, ScriptDirectory

from app.services.operations import store_service

OLDEST_REVISION = "0007"
"""The newest migration of the oldest release that can serve on today's schema. Migrations with a
`contract` move it forward, see `oldest_revision`."""

SchemaState = Literal["empty", "behind", "current", "ahead"]


class UnknownRevision(Exception):
    """This release has no such migration; it may belong to a later release."""


def state(folder: str) -> SchemaState:
    """How the database's schema compares to the migrations in `folder`.

    `ahead` means that a later release has migrated it.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    revision = store_service.schema_revision()
    if revision is None:
        return "empty"
    if revision == store_service.newest_revision(folder):
        return "current"
    return "behind" if store_service.is_behind(revision, folder) else "ahead"


@cache
def oldest_revision(folder: str) -> str:
    """The newest migration of the oldest release that can serve once all in `folder` have run."""
    scripts = ScriptDirectory(folder)
    oldest = OLDEST_REVISION
    for script in _scripts_after(scripts, oldest):
        contract = _contract_of(script)
        if contract is not None and contract in _revisions_after(scripts, oldest):
            oldest = contract
    return oldest


def can_serve(head: str, folder: str) -> bool:
    """Whether servers of a release whose newest migration is `head` can serve once all migrations
    in `folder` have run.

    Raises:
        UnknownRevision: `head` is not among them.
    """
    scripts = ScriptDirectory(folder)
    if head not in {script.revision for script in scripts.walk_revisions()}:
        raise UnknownRevision(head)
    oldest = oldest_revision(folder)
    return head == oldest or head in _revisions_after(scripts, oldest)


def _contract_of(script: Script) -> str | None:
    contract: str | None = getattr(script.module, "contract", None)
    return contract


def _revisions_after(scripts: ScriptDirectory, revision: str) -> set[str]:
    return {script.revision for script in _scripts_after(scripts, revision)}


def _scripts_after(scripts: ScriptDirectory, revision: str) -> list[Script]:
    """The migrations after `revision`, the oldest first."""
    return list(reversed(list(scripts.iterate_revisions("heads", revision))))

"""Which releases can serve on which schema: what a release and a return to an earlier one rely on.

Migrations add, so the servers of earlier releases go on serving on a newer schema (CONTRIBUTING.md,
"Changing the schema"). The exception is a migration that drops what earlier servers read. It says
`contract = "<revision>"`: the oldest migration whose servers no longer read what is dropped.
"""

from functools import cache
from typing import Literal

from alembic.script import Script, ScriptDirectory

from app.services.operations import store_service

OLDEST_REVISION = "0007"
"""The newest migration of the oldest release that serves on today's schema. Contracting migrations
move this forward by themselves, see `oldest_revision`."""

SchemaState = Literal["empty", "behind", "current", "ahead"]


class UnknownRevision(Exception):
    """This release has no such migration: it belongs to a later release, or to another program."""


def state(folder: str) -> SchemaState:
    """How the database's schema stands to the migrations in `folder`.

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
        named = _contract_of(script)
        if named is not None and named in _revisions_after(scripts, oldest):
            oldest = named
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
    named: str | None = getattr(script.module, "contract", None)
    return named


def _revisions_after(scripts: ScriptDirectory, revision: str) -> set[str]:
    return {script.revision for script in _scripts_after(scripts, revision)}


def _scripts_after(scripts: ScriptDirectory, revision: str) -> list[Script]:
    """The migrations that come after one, the oldest first."""
    return list(reversed(list(scripts.iterate_revisions("heads", revision))))

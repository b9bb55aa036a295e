"""Preconditions of a write (RFC 9110, section 13): the states of a row at which it may happen."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from app.errors import PreconditionFailed

ANY = "*"
CODE = "precondition_failed"


Row = Any
"""A row that has a `version`, a number or a text, which edits change."""


def _no_fingerprints(_row: Row) -> Collection[str]:
    return ()


@dataclass(frozen=True)
class Precondition:
    """The states of a row at which a write may happen.

    A tag is a version, or an ETag: a version, a hyphen and a fingerprint of all that the answer
    shows. The version alone decides about an edit, because sales change the fingerprint and an edit
    does not overwrite them. A write of the stock does, so for it the fingerprint counts as well.

    Attributes:
        expected: the tags of which one must name the row's state; None for any state.
        excluded: the tags of which none may name it; `*` names every state.
        fingerprints: returns the fingerprints of a row's answers.
    """

    expected: Collection[str] | None = None
    excluded: Collection[str] = ()
    fingerprints: Callable[[Row], Collection[str]] = _no_fingerprints

    @property
    def is_set(self) -> bool:
        """Whether there is any state at which the write may not happen."""
        return self.expected is not None or bool(self.excluded)

    def refusal(self, row: Row, writes_stock: bool = False) -> PreconditionFailed | None:
        """The refusal of a write at the row's present state; None if the write may happen.

        It is computed on the locked row, before the write, and raised last: any other refusal takes
        precedence (RFC 9110, section 13.2.1).
        """
        if not self.is_set:
            return None
        version = str(row.version)
        fingerprints = self.fingerprints(row) if writes_stock else None
        if self.expected is not None and not _any_names(self.expected, version, fingerprints):
            return _changed(row.version, self.expected)
        if ANY in self.excluded or _any_names(self.excluded, version, fingerprints):
            detail = "This exists in the state that If-None-Match excludes."
            return PreconditionFailed(CODE, detail)
        return None

    def check(self, row: Row) -> None:
        """Raise the refusal, if there is one."""
        refusal = self.refusal(row)
        if refusal:
            raise refusal


UNCONDITIONAL: Precondition = Precondition()
"""A write may happen at any state."""


def at_version(version: str) -> Precondition:
    """The precondition that the row has this version."""
    return Precondition({version})


def _changed(version: int | str, expected: Collection[str]) -> PreconditionFailed:
    if not isinstance(version, int):
        return PreconditionFailed(CODE, "This was changed in the meantime.")
    if _any_names(expected, str(version), None):
        detail = "The stock was changed in the meantime, by an order or a correction."
    else:
        detail = f"This was changed in the meantime: it is now at version {version}."
    return PreconditionFailed(CODE, detail, version=version)


def _any_names(tags: Collection[str], version: str, fingerprints: Collection[str] | None) -> bool:
    for tag in tags:
        head, hyphen, fingerprint = tag.partition("-")
        if head == version and (not hyphen or fingerprints is None or fingerprint in fingerprints):
            return True
    return False

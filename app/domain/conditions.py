"""Versions that an edit expects (If-Match, RFC 9110, section 13.1.1)."""

from collections.abc import Collection

from app.errors import PreconditionFailed


def check_version(version: int | str, expected: Collection[str] | None) -> None:
    """Refuse an edit of a row that has changed since the caller read it.

    `expected` holds the versions at which the edit may happen, or None for any.

    Raises:
        PreconditionFailed: the row is at another version.
    """
    if expected is not None and str(version) not in expected:
        raise PreconditionFailed(
            "precondition_failed",
            f"This was changed in the meantime: it is now at version {version}.",
            version=version,
        )

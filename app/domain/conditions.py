"""Conditions on an edit (RFC 9110, section 13.1.1)."""

from collections.abc import Collection

from app.errors import PreconditionFailed


def check_version(version: int | str, expected: Collection[str] | None) -> None:
    """Refuse an edit of something that has changed since the caller saw it.

    `expected` holds the versions that the caller would accept, or None when any will do.

    Raises:
        PreconditionFailed: it stands at another version.
    """
    if expected is not None and str(version) not in expected:
        raise PreconditionFailed(
            "precondition_failed",
            f"This has been edited meanwhile: it stands at version {version}.",
            version=version,
        )

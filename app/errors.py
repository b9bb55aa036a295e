"""The refusals of the shop. `app/utils/error_handlers.py` turns them into HTTP answers."""

import errno
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
"""The disk or the user's share of it is full, it takes no writes, or files may not grow so large."""
FieldErrors = Mapping[str, Sequence[str]]
T = TypeVar("T")


class ShopError(Exception):
    """A refusal: a stable `code` for programs, a sentence, and `extra` fields for the client."""

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.extra = extra


class Malformed(ShopError):
    """The request cannot be parsed."""


class Unauthenticated(ShopError):
    """The caller is not signed in, or the token is not valid."""

    def __init__(self, code: str = "unauthenticated", detail: str = "Sign in first.") -> None:
        super().__init__(code, detail)


class SecondFactorRequired(Unauthenticated):
    """The password is right; a code of the second factor is missing.

    `token` belongs to this sign-in, and is to be sent with the code within `seconds`.
    """

    def __init__(self, token: str, seconds: int) -> None:
        super().__init__("mfa_required", "Enter a code of your authenticator.")
        self.token, self.seconds = token, seconds
        self.extra = {"mfa_token": token, "expires_in": seconds}


class Forbidden(ShopError):
    """The caller is signed in, but may not do this."""

    def __init__(self, detail: str = "Only staff may do this.") -> None:
        super().__init__("forbidden", detail)


class SecondFactorMissing(Forbidden):
    """The caller is staff, and has to set up a second factor first."""

    def __init__(self) -> None:
        super().__init__("Staff need a second factor. Set one up first.")
        self.code = "mfa_setup_required"


class NotFound(ShopError):
    """It does not exist, or it belongs to somebody else."""

    def __init__(self, kind: str) -> None:
        super().__init__("not_found", f"There is no such {kind}.")


class Invalid(ShopError):
    """The request is not valid; `fields` has messages by field (nested: `items.0.quantity`)."""

    def __init__(
        self,
        fields: FieldErrors | None = None,
        code: str = "validation_error",
        detail: str = "Some fields are not valid.",
    ) -> None:
        super().__init__(code, detail)
        if fields:
            self.extra["errors"] = {name: list(messages) for name, messages in fields.items()}


class Conflict(ShopError):
    """The request is valid, but not in the current state."""


class PreconditionFailed(ShopError):
    """The row has changed since the caller read it (RFC 9110, If-Match)."""


class TooManyAttempts(ShopError):
    """Too many failures; the caller can try again after `retry_after` seconds."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class RateLimited(TooManyAttempts):
    """More requests than one user or address may send."""

    def __init__(self, retry_after: int) -> None:
        detail = f"Too many requests. Try again in {retry_after} s."
        super().__init__("rate_limited", detail, retry_after)


class Unavailable(ShopError):
    """The shop cannot answer now, but probably can soon."""

    def __init__(self, detail: str = "The shop is busy. Try again in a moment.") -> None:
        super().__init__("unavailable", detail)
        self.retry_after = 1


class Busy(Unavailable):
    """Too many passwords are being hashed."""

    def __init__(self) -> None:
        super().__init__("Many people are signing in just now. Please try again in a few seconds.")
        self.code, self.retry_after = "busy", 2


class StorageFull(Unavailable):
    """A file could not be written: the disk is full, or takes no writes."""

    def __init__(self) -> None:
        super().__init__("The shop has no room to store this now. Nothing was stored.")
        self.code, self.retry_after = "storage_full", 60


class TryAgain(Unavailable):
    """Something that was read has changed since; the work has to start again."""


def unless_refused(outcome: T | ShopError) -> T:
    """Raise `outcome` if it is a refusal, else return it. Some refusals are returned first, so that
    what they record is committed."""
    if isinstance(outcome, ShopError):
        raise outcome
    return outcome

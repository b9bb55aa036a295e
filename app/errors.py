"""What the shop can refuse. Kinds carry a stable code and a sentence; no HTTP here."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

FieldErrors = Mapping[str, Sequence[str]]
T = TypeVar("T")


class ShopError(Exception):
    """A refusal: `code` is a stable word, `detail` a sentence, `extra` what else the client is told."""

    def __init__(self, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.extra = extra


class Malformed(ShopError):
    """The request could not be read at all."""


class Unauthenticated(ShopError):
    """The caller has to say who they are, or what they said was not believed."""

    def __init__(self, code: str = "unauthenticated", detail: str = "Sign in first.") -> None:
        super().__init__(code, detail)


class Forbidden(ShopError):
    """The caller is known and may not do this."""

    def __init__(self, detail: str = "Only staff may do this.") -> None:
        super().__init__("forbidden", detail)


class NotFound(ShopError):
    """It does not exist, or it is somebody else's."""

    def __init__(self, what: str) -> None:
        super().__init__("not_found", f"There is no such {what}.")


class Invalid(ShopError):
    """Well-formed but wrong; `fields` says which fields and why (nested: `items.0.quantity`)."""

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
    """Right by itself, but not with things as they are now."""


class PreconditionFailed(ShopError):
    """The thing has changed since the caller last saw it (RFC 9110, If-Match)."""


class TooManyAttempts(ShopError):
    """Wait `retry_after` seconds before the next try."""

    def __init__(self, code: str, detail: str, retry_after: int) -> None:
        super().__init__(code, detail)
        self.retry_after = retry_after


class RateLimited(TooManyAttempts):
    """More requests than one user or address may send."""

    def __init__(self, retry_after: int) -> None:
        detail = f"Too many requests. Try again in {retry_after} s."
        super().__init__("rate_limited", detail, retry_after)


class Unavailable(ShopError):
    """The shop cannot answer now, and will again soon."""

    def __init__(self, detail: str = "The shop is busy. Try again in a moment.") -> None:
        super().__init__("unavailable", detail)
        self.retry_after = 1


class Busy(Unavailable):
    """Too many passwords are hashed at present."""

    def __init__(self) -> None:
        super().__init__("Many people are signing in just now. Please try again in a few seconds.")
        self.code, self.retry_after = "busy", 2


class TryAgain(Unavailable):
    """What was read has changed since: the same work is to be begun afresh."""


def unless_refused(outcome: T | ShopError) -> T:
    """The outcome; a refusal that was returned, so that its trace could be committed, is raised."""
    if isinstance(outcome, ShopError):
        raise outcome
    return outcome

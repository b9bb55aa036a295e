"""Forms: what was filled in, what is wrong with it, and what came of it."""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask import request
from marshmallow import Schema, ValidationError

from app.errors import (
    Busy,
    Conflict,
    Invalid,
    PreconditionFailed,
    ShopError,
    TooManyAttempts,
    Unauthenticated,
)
from app.observability import metrics
from app.utils.error_handlers import status_of
from app.web.blueprints import flatten

T = TypeVar("T")
F = TypeVar("F", bound="Form")
TELLABLE = (Busy, Conflict, Invalid, PreconditionFailed, TooManyAttempts, Unauthenticated)
"""Refusals that are told beside the form; all others have a page of their own."""
EMPTY = "This is needed."
SECRETS = ("password", "current_password", "new_password")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Form:
    """A form as it was sent, or empty as it is first shown.

    `values` are shown again, `errors` beside their fields, and `problem` above all of them.
    """

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values = {name: value for name, value in (values or {}).items() if value is not None}
        self.errors: dict[str, list[str]] = {}
        self.problem = ""
        self.code = ""
        self.extra: dict[str, Any] = {}
        self.status = 200
        self.headers: dict[str, str] = {}

    @classmethod
    def sent(cls: type[F]) -> F:
        """What this request brings."""
        return cls(request.form.to_dict())

    def value(self, name: str) -> str:
        """What to show in a field; never a password."""
        return "" if name in SECRETS else str(self.values.get(name, ""))

    def error(self, name: str) -> str:
        """What is wrong with a field, in one line."""
        return " ".join(self.errors.get(name, ()))

    def carry_out(
        self,
        schema: Schema,
        work: Callable[[dict[str, Any]], T],
        also: tuple[type[ShopError], ...] = (),
    ) -> T | None:
        """What `work` makes of the cleaned fields; None where it was refused, with why noted.

        `also`: kinds of refusals that this form tells beside those that all do.
        """
        told: tuple[type[ShopError], ...] = (*TELLABLE, *also)
        try:
            return work(self._load(schema))
        except told as refusal:
            self.note(refusal)
            return None

    def note(self, refusal: ShopError) -> None:
        """Keep a refusal, to be told beside the form."""
        metrics.refused(refusal.code)
        self.status, self.code = status_of(refusal), refusal.code
        self.extra = refusal.extra
        self.errors = refusal.extra.get("errors", {})
        self.problem = refusal.detail
        if isinstance(refusal, TooManyAttempts):
            self.headers["Retry-After"] = str(refusal.retry_after)
            what = "failed attempts" if refusal.code == "too_many_attempts" else "requests"
            self.problem = f"Too many {what}. Try again in {_spell(refusal.retry_after)}."
        elif isinstance(refusal, Busy):
            self.headers["Retry-After"] = str(refusal.retry_after)
        elif self.errors:
            self.problem = "Please look at the fields that are marked."

    def _load(self, schema: Schema) -> dict[str, Any]:
        known = {field.data_key or name for name, field in schema.load_fields.items()}
        return self._read(
            schema, {name: value for name, value in self.values.items() if name in known}
        )

    @staticmethod
    def _read(schema: Schema, sent: Mapping[str, Any]) -> dict[str, Any]:
        try:
            loaded: dict[str, Any] = schema.load(sent)
        except ValidationError as error:
            wrong = dict(flatten(error.messages_dict))
            empty = {name: [EMPTY] for name in wrong if "." not in name and not sent.get(name)}
            raise Invalid({**wrong, **empty}) from None
        return loaded


def whole(text: str) -> int | str:
    """The number that was written; what is none stays, for the schema to refuse."""
    return int(text) if _WHOLE.fullmatch(text.strip()) else text


def _spell(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes"

"""Forms: their values, the errors in them, and the refusal of what was sent."""

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
from app.web.blueprints import flatten_errors

T = TypeVar("T")
F = TypeVar("F", bound="Form")
FORM_REFUSALS = (Busy, Conflict, Invalid, PreconditionFailed, TooManyAttempts, Unauthenticated)
"""Refusals that are shown beside the form; all others have an error page."""
EMPTY = "This is needed."
SECRETS = ("password", "current_password", "new_password")
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Form:
    """A form with the values that were sent, or an empty one.

    The page shows `errors` beside their fields and `problem` above all of them. `status` and `headers`
    are those of the response.
    """

    def __init__(self, values: Mapping[str, object] | None = None) -> None:
        self.values: dict[str, Any] = {
            name: value for name, value in (values or {}).items() if value is not None
        }
        self.errors: dict[str, list[str]] = {}
        self.problem = ""
        self.code = ""
        self.extra: dict[str, Any] = {}
        self.status = 200
        self.headers: dict[str, str] = {}

    @classmethod
    def from_request(cls: type[F]) -> F:
        """The form in this request."""
        return cls(request.form.to_dict())

    def value(self, name: str) -> str:
        """The text to show in a field; never a password."""
        return "" if name in SECRETS else str(self.values.get(name, ""))

    def error(self, name: str) -> str:
        """The errors of a field, in one line."""
        return " ".join(self.errors.get(name, ()))

    def carry_out(
        self,
        schema: Schema,
        work: Callable[[dict[str, Any]], T],
        extra_refusals: tuple[type[ShopError], ...] = (),
    ) -> T | None:
        """Validate the form and call `work` with its fields; returns what `work` returns.

        Returns None after one of FORM_REFUSALS or `extra_refusals`, which the form then shows.
        """
        refusals: tuple[type[ShopError], ...] = (*FORM_REFUSALS, *extra_refusals)
        try:
            return work(self._load(schema))
        except refusals as refusal:
            self.show_refusal(refusal)
            return None

    def show_refusal(self, refusal: ShopError) -> None:
        """Show a refusal beside the form, and count it."""
        metrics.count_refusal(refusal.code)
        self.status, self.code = status_of(refusal), refusal.code
        self.extra = refusal.extra
        self.errors = refusal.extra.get("errors", {})
        self.problem = refusal.detail
        if isinstance(refusal, TooManyAttempts):
            self.headers["Retry-After"] = str(refusal.retry_after)
            attempts = "failed attempts" if refusal.code == "too_many_attempts" else "requests"
            self.problem = f"Too many {attempts}. Try again in {_spell(refusal.retry_after)}."
        elif isinstance(refusal, Busy):
            self.headers["Retry-After"] = str(refusal.retry_after)
        elif self.errors:
            self.problem = "Please look at the fields that are marked."
        elif refusal.code == "slug_taken":
            self.errors = {"slug": [refusal.detail]}

    def _load(self, schema: Schema) -> dict[str, Any]:
        names = {field.data_key or name for name, field in schema.load_fields.items()}
        return self._read(
            schema, {name: value for name, value in self.values.items() if name in names}
        )

    @staticmethod
    def _read(schema: Schema, values: Mapping[str, Any]) -> dict[str, Any]:
        try:
            fields: dict[str, Any] = schema.load(values)
        except ValidationError as error:
            errors = dict(flatten_errors(error.messages_dict))
            empty = {
                name: [EMPTY]
                for name in errors
                if "." not in name and not values.get(name) and values.get(name) != 0
            }
            raise Invalid({**errors, **empty}) from None
        return fields


def parse_whole(text: str) -> int | str:
    """A whole number. Any other text is returned as it is, for the schema to refuse."""
    return int(text) if _WHOLE.fullmatch(text.strip()) else text


def parse_optional_whole(text: str) -> int | str | None:
    """As `parse_whole`; None where nothing was written."""
    return parse_whole(text) if text.strip() else None


def _spell(seconds: int) -> str:
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{round(seconds / 60)} minutes"

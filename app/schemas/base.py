"""What all schemas share: strict input, and fields for text, numbers, money and times."""

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from flask import current_app
from marshmallow import EXCLUDE, RAISE, Schema, ValidationError, fields
from marshmallow.validate import Length

from app.domain.clock import rfc3339
from app.domain.money import MAX_PRICE, NotMoney, to_minor, to_text
from app.domain.pricing.percent import MAX_PERCENT, NotPercent, percent_text, read_percent
from app.domain.pricing.percent import PATTERN as PERCENT_PATTERN
from app.domain.text import MAX_SLUG, NotText, clean, is_slug

Name = str | None
Body = Mapping[str, object] | None
_AMOUNT = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_NUMBER = re.compile(r"-?[0-9]{1,19}")
# With a letter in its first word, or with a second word.
_SLUG = "^([0-9]*[a-z][a-z0-9]*(-[a-z0-9]+)*|[0-9]+(-[a-z0-9]+)+)$"


class ShopSchema(Schema):
    """JSON bodies and answers. Unknown fields are refused."""

    class Meta:
        unknown = RAISE


class QuerySchema(Schema):
    """Query strings. Pages ignore unknown arguments; the API refuses them before it reads these."""

    class Meta:
        unknown = EXCLUDE


class Text(fields.String):
    """Text of `low` to `high` characters, trimmed, without control characters.

    It has one line, or several with `lines=True`, whose ends become LF. A field that may be empty also
    accepts null, which is stored as the empty text.
    """

    def __init__(self, high: int, low: int = 0, lines: bool = False, **kwargs: Any) -> None:
        self.low, self.high, self.lines = low, high, lines
        metadata = {"maxLength": high, "pattern": _pattern(low, lines)}
        metadata |= {"minLength": low} if low else {"x-null": "in"}
        if not low and not kwargs.get("required"):
            kwargs.setdefault("allow_none", True)
        super().__init__(metadata={**metadata, **kwargs.pop("metadata", {})}, **kwargs)

    def deserialize(
        self, value: object, attr: Name = None, data: Body = None, **kwargs: Any
    ) -> Any:
        """The cleaned text; null becomes the empty text."""
        empty = value is None and self.allow_none and not self.low
        return super().deserialize("" if empty else value, attr, data, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> str:
        text = str(super()._deserialize(value, attr, data, **kwargs))
        try:
            return clean(text, self.low, self.high, self.lines)
        except NotText as error:
            raise ValidationError(str(error)) from None


def _pattern(low: int, lines: bool) -> str:
    """The texts that `clean` accepts, as a regular expression of ECMA-262. A required text must have a
    character that is no blank."""
    forbidden = "\\u0000-\\u0008\\u000b-\\u001f\\u007f" + ("" if lines else "\\n")
    least = rf"[^\s{forbidden}][^{forbidden}]*" if low else ""
    return f"^[^{forbidden}]*{least}$"


class Part(fields.Nested):
    """An object in a body. It must be complete even in a PATCH, where only the body is partial."""

    def _deserialize(
        self, value: object, attr: Name, data: Body, partial: object = None, **kwargs: Any
    ) -> object:
        return super()._deserialize(value, attr, data, partial=False, **kwargs)


class Items(fields.List[Any]):
    """A list in a body. Its length is checked before its items are read: reading fifty thousand of them would
    take seconds, to be refused then."""

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> list[Any]:
        if isinstance(value, list):
            for validator in self.validators:
                if isinstance(validator, Length):
                    validator(value)
        return super()._deserialize(value, attr, data, **kwargs)


class Whole(fields.Integer):
    """A whole JSON number from `low` to `high`, `1` or `1.0` (JSON Schema 2020-12); strings and fractions
    are refused."""

    def __init__(self, low: int, high: int, **kwargs: Any) -> None:
        self.low, self.high = low, high
        metadata = {"minimum": low, "maximum": high, **kwargs.pop("metadata", {})}
        super().__init__(strict=True, metadata=metadata, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> int:
        number = _whole(value)
        if number is None:
            raise ValidationError("Not a whole number.")
        if not self.low <= number <= self.high:
            raise ValidationError(f"From {self.low} to {self.high}.")
        return number


def _whole(value: object) -> int | None:
    """A number without a fraction; None where it has one, or is beyond any use."""
    if isinstance(value, Decimal) and value.is_finite() and value.adjusted() < 20:
        return int(value) if int(value) == value else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


class Number(Whole):
    """A whole number in a query: written in ASCII digits and nothing else."""

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> int:
        text = str(value)
        if not _NUMBER.fullmatch(text):
            raise ValidationError("Not a whole number.")
        return super()._deserialize(int(text), attr, data, **kwargs)


class RowId(Whole):
    """The id of a row."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(1, 2**63 - 1, **kwargs)


class Money(fields.Field[int]):
    """An amount: minor units of the store's currency in Python, a decimal string in JSON; never rounded."""

    def __init__(self, high: int = MAX_PRICE, **kwargs: Any) -> None:
        self.high = high
        marks = {"type": "string", "x-money": high}  # see app/api/openapi/schemas.py
        super().__init__(metadata={**marks, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(
        self, value: int | None, attr: Name, obj: object, **kwargs: object
    ) -> str | None:
        return None if value is None else to_text(value, store_currency())

    def _deserialize(self, value: Any, attr: Name, data: Body, **kwargs: object) -> int:
        if isinstance(value, str) and not _AMOUNT.fullmatch(value):
            raise ValidationError("Not a valid amount of money.")
        try:
            minor = to_minor(value, store_currency())
        except NotMoney as error:
            raise ValidationError(str(error)) from None
        if not 0 <= minor <= self.high:
            highest = to_text(self.high, store_currency())
            raise ValidationError(f"From 0 to {highest}.")
        return minor


class Percent(fields.Field[int]):
    """A percentage: thousandths of a percent in Python, a decimal string such as `9.975` in JSON."""

    def __init__(self, highest: int = MAX_PERCENT, **kwargs: Any) -> None:
        self.highest = highest
        marks = {"type": "string", "pattern": PERCENT_PATTERN, "examples": ["19"]}
        super().__init__(metadata={**marks, **kwargs.pop("metadata", {})}, **kwargs)

    def _serialize(
        self, value: int | None, attr: Name, obj: object, **kwargs: object
    ) -> str | None:
        return None if value is None else percent_text(value)

    def _deserialize(self, value: Any, attr: Name, data: Body, **kwargs: object) -> int:
        try:
            return read_percent(value if isinstance(value, str) else "", self.highest)
        except NotPercent as error:
            raise ValidationError(str(error)) from None


class Slug(Text):
    """A name for paths: lower-case words joined by hyphens, not only digits."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"pattern": _SLUG, **kwargs.pop("metadata", {})}
        super().__init__(MAX_SLUG, 1, metadata=metadata, **kwargs)

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> str:
        slug = super()._deserialize(value, attr, data, **kwargs)
        if not is_slug(slug):
            raise ValidationError("Lower-case words of a-z and 0-9 joined by -, not only digits.")
        return slug


class Flag(fields.Boolean):
    """A JSON true or false; strings and numbers are refused."""

    def _deserialize(self, value: object, attr: Name, data: Body, **kwargs: object) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("Must be true or false.")
        return value


class Time(fields.Field[datetime]):
    """A time in answers: RFC 3339 in UTC with `Z`."""

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"type": "string", "format": "date-time", **kwargs.pop("metadata", {})}
        super().__init__(dump_only=True, metadata=metadata, **kwargs)

    def _serialize(
        self, value: datetime | None, attr: Name, obj: object, **kwargs: object
    ) -> str | None:
        return None if value is None else rfc3339(value)


def store_currency() -> str:
    """The ISO 4217 code of the shop's one currency."""
    currency: str = current_app.config["STORE_CURRENCY"]
    return currency

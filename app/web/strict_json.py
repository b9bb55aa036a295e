"""JSON: read strictly (RFC 8259, without what it leaves open) and written with orjson."""

import json
from decimal import Decimal
from typing import Any, NoReturn

import orjson
from flask import Request, Response, current_app
from flask.json.provider import JSONProvider
from werkzeug.exceptions import RequestEntityTooLarge

from app.errors import Malformed

BYTE_ORDER_MARK = "\ufeff"
MAX_DEPTH = 64
"""How deep arrays and objects may be nested; no body of the API needs more than a few levels."""


class NotStrict(ValueError):
    """JSON of a kind that RFC 8259 leaves open and that the shop refuses; the message says which."""


class StrictJSONProvider(JSONProvider):
    """Flask's JSON: written by orjson, read by `loads`."""

    def dumps(self, obj: object, **_kwargs: object) -> str:
        """Compact JSON text."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: object) -> Any:
        """The parsed JSON. Fractions become Decimals, so that no price is rounded."""
        return loads(s)

    def response(self, *args: object, **kwargs: object) -> Response:
        """A JSON response of these values."""
        body = orjson.dumps(self._prepare_response_obj(args, kwargs))
        return current_app.response_class(body, mimetype="application/json")


def loads(text: str | bytes) -> Any:
    """Parse JSON. What it holds is only known to the schema that reads it, hence `Any`.

    Raises:
        Malformed: no JSON, NaN or Infinity, a name twice in one object, a lone surrogate, or
            nesting or numbers out of range.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        if text.startswith(BYTE_ORDER_MARK):
            raise NotStrict("it begins with a byte order mark (RFC 8259, section 8.1)")
        value = json.loads(
            text, parse_float=_decimal, parse_constant=_refuse, object_pairs_hook=_unique
        )
        if text.count("[") + text.count("{") > MAX_DEPTH and _deeper_than(MAX_DEPTH, value):
            raise NotStrict(f"nested deeper than {MAX_DEPTH} levels")
        # An escape like \ud800 is a lone surrogate, which UTF-8 cannot encode.
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except (ValueError, RecursionError) as error:
        detail = f"The body cannot be read as JSON: {_describe(error)}."
        raise Malformed("malformed_json", detail) from None
    return value


def _describe(error: ValueError | RecursionError) -> str:
    """What is wrong, in other words than Python's."""
    if isinstance(error, json.JSONDecodeError):
        return f"not valid JSON at line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "not UTF-8"
    if isinstance(error, UnicodeEncodeError):
        return "half of a surrogate pair stands alone"
    if isinstance(error, NotStrict):
        return str(error)
    return "not valid JSON"


def read_body(request: Request) -> Any:
    """The parsed JSON body of a request; an absent body reads as an empty object.

    Raises:
        Malformed: `unsupported_media_type` or `malformed_json`.
        werkzeug RequestEntityTooLarge: more than MAX_BODY_BYTES.
    """
    data = request.get_data(cache=True)
    if len(data) > current_app.config["MAX_BODY_BYTES"]:
        raise RequestEntityTooLarge()
    if not data:
        return {}
    refuse_encoded(request)
    mimetype = request.mimetype
    if mimetype != "application/json" and not mimetype.endswith("+json"):
        raise Malformed("unsupported_media_type", "Send the body as application/json.")
    return loads(data)


def refuse_encoded(request: Request) -> None:
    """Refuse a compressed body, which could grow beyond any limit. Raises Malformed."""
    encodings = request.headers.get("Content-Encoding", "").lower().split(",")
    if {encoding.strip() for encoding in encodings} - {"", "identity"}:
        raise Malformed("unsupported_media_type", "Send the body without a Content-Encoding.")


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        raise NotStrict("a number beyond any use") from None


def _deeper_than(levels: int, value: object) -> bool:
    if not isinstance(value, (dict, list)):
        return False
    if not levels:
        return True
    return any(
        _deeper_than(levels - 1, child)
        for child in (value.values() if isinstance(value, dict) else value)
    )


def _refuse(constant: str) -> NoReturn:
    raise NotStrict(f"{constant} is no number of JSON")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotStrict("a name stands twice in one object")
    return members

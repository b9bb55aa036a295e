"""The shop's kind of blueprint: strict bodies, field errors in one shape, security documented."""

from collections.abc import Mapping
from functools import cache
from typing import Any, NoReturn

from flask import Request, Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app.errors import Invalid
from app.web.strict_json import read_body
from app.web.uploads import read_form

REMEMBERED = 2048
LONGEST_REMEMBERED = 200
"""Of queries, in bytes: longer ones hardly come twice."""


class StrictParser(FlaskParser):
    """Reads bodies with `strict_json`, and reports wrong fields as the shop does.

    What a query string means never changes, so the last ones are remembered: reading them again
    would cost more than many an answer does.
    """

    def parse(self, argmap: Any, req: Request | None = None, **options: Any) -> Any:
        """What the request brings, as the schema reads it."""
        query = request.query_string
        if options.get("location") != "query" or len(query) > LONGEST_REMEMBERED:
            return super().parse(argmap, req, **options)
        known, key = _remembered(), (argmap, query)
        read = known.get(key)
        if read is None:
            read = super().parse(argmap, req, **options)
            if len(known) >= REMEMBERED:
                known.clear()  # under other threads' hands: nobody looks twice
            known[key] = read
        return dict(read)

    def _get_schema(self, argmap: Any, req: Request) -> Schema:
        return _made_once(argmap) if isinstance(argmap, type) else argmap

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body as parsed JSON."""
        return read_body(req)

    def load_files(self, req: Request, schema: Schema) -> Any:
        """The fields and files of a multipart form."""
        return read_form(req)

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, **_kwargs: Any
    ) -> NoReturn:
        """Turn marshmallow's nested messages into flat field names."""
        messages = error.messages_dict
        raise Invalid(
            dict(flatten({k: v for where in messages.values() for k, v in _items(where)}))
        )


class ShopBlueprint(Blueprint):
    """A flask-smorest blueprint as all of the API's doors use it.

    Answers of a `private` one are kept by no cache; what the others answer to a GET has an ETag.
    """

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, private: bool = False, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self._prepare_doc_cbks.append(_document_security)
        if private:
            self.after_request(forbid_storing)
        else:
            self._prepare_doc_cbks.append(_document_as_public)


@cache
def _made_once(kind: type[Schema]) -> Schema:
    return kind()


def _remembered() -> dict[Any, dict[str, Any]]:
    """Of this app, since prices are read in its currency."""
    found: dict[Any, dict[str, Any]] = current_app.extensions.setdefault("remembered_queries", {})
    return found


def forbid_storing(response: Response) -> Response:
    """Private answers are kept by no cache (RFC 9111, section 5.2.2.5)."""
    response.headers["Cache-Control"] = "no-store"
    return response


def flatten(messages: Any, prefix: str = "") -> list[tuple[str, list[str]]]:
    """`{"items": {0: {"quantity": [...]}}}` as `[("items.0.quantity", [...])]`."""
    if not isinstance(messages, Mapping):
        return [(prefix or "body", [str(message) for message in messages])]
    found = []
    for key, value in messages.items():
        name = prefix if key == "_schema" else f"{prefix}.{key}" if prefix else str(key)
        found += flatten(value, name)
    return found


def _items(messages: Any) -> list[tuple[str, Any]]:
    return list(messages.items()) if isinstance(messages, Mapping) else [("_schema", messages)]


def _document_security(
    doc: dict[str, Any], doc_info: dict[str, Any], **_kwargs: Any
) -> dict[str, Any]:
    if "needs" in doc_info:
        doc["security"] = [{"bearer": []}]
        doc["x-needs"] = doc_info["needs"]  # who among those who have a token
    return doc


def _document_as_public(doc: dict[str, Any], *_args: Any, **_kwargs: Any) -> dict[str, Any]:
    doc["x-public"] = True  # read and taken out again by `app.api.openapi`
    return doc

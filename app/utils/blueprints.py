"""The shop's kind of blueprint: strict bodies, field errors in one shape, security documented."""

from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Request, Response
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser

from app.errors import Invalid
from app.utils.strict_json import read_body
from app.utils.uploads import read_form


class StrictParser(FlaskParser):
    """Reads bodies with `strict_json`, and reports wrong fields as the shop does."""

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

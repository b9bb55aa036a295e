"""The API's blueprint: strict bodies, field errors of one shape, and documented security."""

import re
from collections.abc import Callable, Collection, Mapping
from functools import cache, wraps
from typing import Any, NoReturn, TypeVar

from flask import Request, Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import FileStorage

from app.errors import Invalid
from app.web.callers.buyers import header
from app.web.strict_json import read_body
from app.web.uploads import read_form

MAX_QUERIES = 2048
MAX_QUERY_BYTES = 200
"""Longer query strings hardly come twice, and are not cached."""
MAX_NAMED = 20
"""Unknown parameters that a refusal names."""
_CAMPAIGN = re.compile("utm_|(?:gclid|fbclid)$")
Messages = Any
"""marshmallow's messages: a list of texts, or a mapping of fields to such messages."""
Document = dict[str, Any]
"""A part of the OpenAPI document."""
V = TypeVar("V", bound=Callable[..., Any])
IF_MATCH = header(
    "If-Match", "ETags, or versions in quotes, at which this may happen; otherwise it is 412."
)
QueryCache = dict[tuple[object, bytes], dict[str, object]]
View = Callable[..., Any]
TAKES_KEY = "takes_key"
"""In a view's `_apidoc`: whether it takes an idempotency key (`app.web.keyed_requests`)."""


class StrictParser(FlaskParser):
    """Reads bodies with `strict_json`, and reports wrong fields as the shop does.

    The arguments of a query string are cached: to parse it again takes longer than many answers.
    """

    def parse(self, argmap: Any, req: Request | None = None, **options: Any) -> Any:
        """The request's arguments, as the schema reads them."""
        query = request.query_string
        if options.get("location") != "query":
            return super().parse(argmap, req, **options)
        if len(query) > MAX_QUERY_BYTES:
            return self._parse_query(argmap, req, options)
        queries, key = _query_cache(), (argmap, query)
        arguments = queries.get(key)
        if arguments is None:
            arguments = self._parse_query(argmap, req, options)
            if len(queries) >= MAX_QUERIES:
                queries.clear()  # safe while other threads use it: each looks up once
            queries[key] = arguments
        return dict(arguments)

    def _parse_query(self, argmap: Any, req: Request | None, options: dict[str, Any]) -> Any:
        fields = self._get_schema(argmap, request).fields.items()
        check_parameters({field.data_key or name for name, field in fields})
        return super().parse(argmap, req, **options)

    def _get_schema(self, argmap: Any, req: Request) -> Schema:
        return _instance(argmap) if isinstance(argmap, type) else argmap

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body as parsed JSON."""
        return read_body(req)

    def load_files(self, req: Request, schema: Schema) -> dict[str, str | FileStorage]:
        """The fields and files of a multipart form."""
        return read_form(req)

    def handle_error(
        self, error: ValidationError, req: Request, schema: Schema, **_kwargs: object
    ) -> NoReturn:
        """Turn marshmallow's nested messages into flat field names."""
        locations = error.messages_dict.values()
        fields = {name: messages for each in locations for name, messages in _items(each)}
        raise Invalid(dict(flatten_errors(fields)))


class ShopBlueprint(Blueprint):
    """The flask-smorest blueprint of all API routes.

    Responses of a private blueprint are `no-store`; other GET responses have an ETag.
    """

    ARGUMENTS_PARSER = StrictParser()

    def __init__(self, name: str, import_name: str, private: bool = False, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self._prepare_doc_cbks += [_document_security, _document_headers]
        if private:
            self.after_request(forbid_storing)
        else:
            self._prepare_doc_cbks.append(_document_as_public)

    def add_url_rule(
        self, rule: str, endpoint: str | None = None, view_func: Any = None, *args: Any,
        **options: Any,
    ) -> None:  # fmt: skip
        """flask-smorest's, for views that say, if they are called by POST, whether they take an
        idempotency key. None may ignore one, because its caller relies on it."""
        description = vars(view_func).get("_apidoc", {})
        if "POST" in options.get("methods", ()) and TAKES_KEY not in description:
            raise TypeError(f"{view_func.__name__} declares neither takes_key nor refuses_key.")
        super().add_url_rule(rule, endpoint, view_func, *args, **options)

    def response(self, *arguments: Any, **options: Any) -> Callable[[View], View]:
        """flask-smorest's decorator, for a view that is called only where the query string is valid.

        A view without a schema for it takes no parameters. The check is the innermost, because what
        the caller may do and whether the body can be read are checked before.
        """
        decorate = super().response(*arguments, **options)

        def decorated(view: View) -> View:
            @wraps(view)
            def checked(*args: Any, **kwargs: Any) -> Any:
                if request.query_string and not _takes_parameters():
                    check_parameters(())
                return view(*args, **kwargs)

            answered: View = decorate(checked)
            return answered

        return decorated


def takes_if_match(view: V) -> V:
    """Describe If-Match among the headers of requests to a view, which checks it (`web.preconditions`)."""
    return takes_header(view, IF_MATCH)


def takes_header(view: V, header: Document) -> V:
    """Describe a header of requests to a view."""
    # flask-smorest collects what it documents in `_apidoc`, and passes it on to `_document_headers`.
    description = vars(view).get("_apidoc", {})
    headers = [*description.get("request_headers", ()), header]
    vars(view)["_apidoc"] = {**description, "request_headers": headers}
    return view


def check_parameters(names: Collection[str]) -> None:
    """Check that the query string has no parameters but these, each at most once. A mistyped filter
    would otherwise list everything. Campaign tags, which advertisers add to links, pass.

    Raises:
        Invalid: `unknown_parameter`, or `validation_error` on a parameter that stands twice.
    """
    unknown = [name for name in request.args if name not in names and not _CAMPAIGN.match(name)]
    if unknown:
        raise Invalid(
            {name: ["There is no such parameter."] for name in unknown[:MAX_NAMED]},
            code="unknown_parameter",
            detail="There are parameters that this does not take;"
            f" it takes {', '.join(sorted(names)) or 'none'}.",
        )
    repeated = [name for name, values in request.args.lists() if name in names and values[1:]]
    if repeated:
        raise Invalid({name: ["Only once."] for name in repeated})


def _takes_parameters() -> bool:
    """Whether the view of this request has a schema for its query string, which checks it."""
    view = current_app.view_functions[request.endpoint or ""]
    parameters = vars(view).get("_apidoc", {}).get("arguments", {}).get("parameters", ())
    return any(parameter["in"] == "query" for parameter in parameters)


@cache
def _instance(schema: type[Schema]) -> Schema:
    return schema()


def _query_cache() -> QueryCache:
    # One for each app, because prices are read in its currency.
    queries: QueryCache = current_app.extensions.setdefault("query_cache", {})
    return queries


def forbid_storing(response: Response) -> Response:
    """Let no cache store a private answer (RFC 9111, section 5.2.2.5)."""
    response.headers["Cache-Control"] = "no-store"
    return response


def flatten_errors(messages: Messages, prefix: str = "") -> list[tuple[str, list[str]]]:
    """`{"items": {0: {"quantity": [...]}}}` as `[("items.0.quantity", [...])]`."""
    if not isinstance(messages, Mapping):
        return [(prefix or "body", [str(message) for message in messages])]
    errors = []
    for key, value in messages.items():
        name = prefix if key == "_schema" else f"{prefix}.{key}" if prefix else str(key)
        errors += flatten_errors(value, name)
    return errors


def _items(messages: Messages) -> list[tuple[str, Messages]]:
    return list(messages.items()) if isinstance(messages, Mapping) else [("_schema", messages)]


def _document_security(doc: Document, doc_info: Document, **_kwargs: object) -> Document:
    if "needs" in doc_info:
        doc["security"] = [{"bearer": []}]
        doc["x-needs"] = doc_info["needs"]  # which of the callers with a token
    return doc


def _document_headers(doc: Document, doc_info: Document, **_kwargs: object) -> Document:
    if "request_headers" in doc_info:
        doc["parameters"] = [*doc.get("parameters", ()), *doc_info["request_headers"]]
    return doc


def _document_as_public(doc: Document, *_args: object, **_kwargs: object) -> Document:
    doc["x-public"] = True  # `app.api.openapi.operations` reads and removes it
    return doc

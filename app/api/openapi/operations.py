"""Completes the description of every operation: an `operationId` for generated clients, a description
of its path, and all its answers. Everything follows from the view's decorators and route."""

from typing import Any

from apispec import APISpec, BasePlugin
from werkzeug.routing import Rule

from app.api.openapi import refusals
from app.api.openapi.completion import complete
from app.api.openapi.document import JsonObject, answers, json_schema, schema_name
from app.api.openapi.examples import add_examples
from app.api.openapi.links import add_links
from app.api.openapi.schemas import split_directions
from app.web.callers.buyers import IDEMPOTENCY_KEY

PATH_PARAMETERS = {"product": "Id or slug.", "category": "Id or slug.", "order": "Id or number."}
HEADERS: dict[str, tuple[str, JsonObject]] = {
    "X-Request-ID": (
        "The id of the request: the one that was sent, or a new one.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    ),
    "Location": ("The address of what was created.", {"type": "string", "format": "uri-reference"}),
    "Link": ("The first, previous, next and last page of the list (RFC 8288).", {"type": "string"}),
    "ETag": ("Identifies this state, for If-None-Match and If-Match.", {"type": "string"}),
    "RateLimit-Policy": (
        "The budgets of the request: how many requests `q` in `w` seconds.",
        {"type": "string", "examples": ['"default";q=1200;w=60']},
    ),
    "RateLimit": (
        "What is left of each budget: `r` requests, for `t` seconds.",
        {"type": "string", "examples": ['"default";r=1199;t=60']},
    ),
    "Idempotency-Replayed": (
        "Where the answer of an earlier request with the same key is repeated: `true`.",
        {"type": "string", "enum": ["true"]},
    ),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("How to sign in (RFC 6750).", {"type": "string", "pattern": "^Bearer"}),
}
OPTIONAL = ("RateLimit-Policy", "RateLimit", "Idempotency-Replayed")
IF_NONE_MATCH: JsonObject = {
    "in": "header",
    "name": "If-None-Match",
    "description": "The ETag of the copy that the caller has: the answer is 304 if it is unchanged.",
    "schema": {"type": "string"},
}
# Any operation may refuse an invalid token, a caller over the limit, or lose its database.
ALWAYS = (401, 429, 503)
WRITES = frozenset({"post", "put", "patch", "delete"})


class OperationDescriptions(BasePlugin):
    """An apispec plugin that completes operations and paths."""

    def __init__(self, currency: str, store_name: str) -> None:
        self.currency, self.store_name = currency, store_name

    def init_spec(self, spec: APISpec) -> None:
        """Register the headers, and complete the document whenever it is dumped."""
        super().init_spec(spec)
        self.spec = spec
        original = spec.to_dict

        def to_dict() -> dict[str, object]:
            document = split_directions(original(), self.currency)
            document = complete(refusals.add_codes(document), self.store_name)
            return add_examples(add_links(document), self.currency)

        spec.to_dict = to_dict  # type: ignore[method-assign]
        for name, (description, schema) in HEADERS.items():
            header: JsonObject = {"description": description, "schema": schema}
            if name not in OPTIONAL:
                header["required"] = True
            spec.components.header(name, header, lazy=True)

    def path_helper(
        self,
        path: str | None = None,
        operations: JsonObject | None = None,
        parameters: list[Any] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Describe the parameters in the path."""
        for parameter in parameters or []:
            if parameter["in"] == "path":
                parameter.setdefault("description", PATH_PARAMETERS.get(parameter["name"], "Id."))
                if parameter["schema"]["type"] == "integer":
                    parameter["schema"].update(minimum=1, maximum=10**18 - 1)

    def operation_helper(
        self, path: str | None = None, operations: JsonObject | None = None, **kwargs: Any
    ) -> None:
        """Name each operation after its view, and add the answers that follow from its description.

        A PUT that is the same view as PATCH has `.put` appended to its name.
        """
        rule: Rule = kwargs["rule"]
        for method, operation in (operations or {}).items():
            is_alias = method == "put" and "patch" in (operations or {})
            operation["operationId"] = rule.endpoint + (".put" if is_alias else "")
            is_public = operation.pop("x-public", False)
            has_etag = method == "get" and is_public
            if has_etag:
                operation.setdefault("parameters", []).append(IF_NONE_MATCH)
            sends_etag = is_public or _takes_if_match(operation)
            self._add_headers(operation, has_etag, sends_etag)
            for status in self._refusals(method, path or "", operation, has_etag):
                operation["responses"][status] = refusals.name_of(status)

    def _add_headers(self, operation: JsonObject, has_etag: bool, sends_etag: bool) -> None:
        """Add the headers of each answer, and a 304 if there is an ETag."""
        for status, answer in answers(operation):
            takes_key = any(p["name"] == IDEMPOTENCY_KEY for p in operation.get("parameters", []))
            names = self._header_names(int(status), answer, sends_etag, takes_key)
            answer["headers"] = {**{n: n for n in names}, **answer.get("headers", {})}
        if has_etag:
            headers = {name: name for name in ("X-Request-ID", "ETag")}
            operation["responses"][304] = {"description": "Not Modified", "headers": headers}

    def _header_names(
        self, status: int, answer: JsonObject, sends_etag: bool, takes_key: bool
    ) -> list[str]:
        conditions = {
            "X-Request-ID": True,
            "RateLimit-Policy": True,
            "RateLimit": True,
            "Idempotency-Replayed": takes_key,
            "Location": status == 201,
            "Link": schema_name(json_schema(answer)).endswith("List"),
            "ETag": sends_etag and status in (200, 201),
        }
        return [name for name, applies in conditions.items() if applies]

    def _refusals(self, method: str, path: str, operation: JsonObject, has_etag: bool) -> list[int]:
        """The statuses of the refusals that an operation may answer."""
        body = "requestBody" in operation
        conditions = {
            400: body,
            403: operation.get("x-needs") == "admin",
            404: "{" in path or self._refers_by_id(operation),
            409: method in WRITES,
            412: method in WRITES or has_etag,
            413: body,
            415: body,
            422: True,
        }
        return sorted([*ALWAYS, *(status for status, applies in conditions.items() if applies)])

    def _refers_by_id(self, operation: JsonObject) -> bool:
        """Whether the body has ids of other things, which may not exist."""
        name = schema_name(json_schema(operation.get("requestBody", {})))
        fields = self.spec.components.schemas.get(name, {}).get("properties", {})
        return any(field.endswith("_id") and field != "vat_id" for field in fields)


def _takes_if_match(operation: JsonObject) -> bool:
    return any(header["name"] == "If-Match" for header in operation.get("parameters", ()))

"""What every operation's description gets: a name for generated clients, its path explained, and
everything that it may answer, drawn from what its doors and decorators already say."""

from typing import Any

from apispec import APISpec, BasePlugin
from werkzeug.routing import Rule

from app.api.links import add_links
from app.api.request_response_schemas import split_directions
from app.utils.error_handlers import TITLES

PATH_PARAMETERS = {
    "product": "Id or slug.",
    "category": "Id or slug.",
    "order": "Id or number.",
}
HEADERS: dict[str, tuple[str, dict[str, Any]]] = {
    "X-Request-ID": (
        "The id that was sent, or one made for this request.",
        {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
    ),
    "Location": ("Where the new thing is.", {"type": "string", "format": "uri-reference"}),
    "Link": ("The first, previous, next and last part of the list (RFC 8288).", {"type": "string"}),
    "ETag": ("Names this state, for If-None-Match.", {"type": "string"}),
    "Retry-After": ("Seconds to wait.", {"type": "integer", "minimum": 1}),
    "WWW-Authenticate": ("How to sign in (RFC 6750).", {"type": "string", "pattern": "^Bearer"}),
}
HEADERS_OF_REFUSALS = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "What the caller has already, by its ETag: 304 if it is still the same.",
    "schema": {"type": "string"},
}
# A broken token is refused even where none is needed, a limit and a lost database can meet anyone.
ALWAYS = (401, 429, 503)
WRITES = frozenset({"post", "put", "patch", "delete"})


class Described(BasePlugin):
    """An `operationId`, all answers and their headers for each operation; words for each path."""

    def __init__(self, currency: str) -> None:
        self.currency = currency

    def init_spec(self, spec: APISpec) -> None:
        """Register what the answers refer to, and finish the document whenever it is asked for."""
        super().init_spec(spec)
        self.spec = spec
        unfinished = spec.to_dict

        def to_dict() -> dict[str, Any]:
            return add_links(split_directions(unfinished(), self.currency))

        spec.to_dict = to_dict  # type: ignore[method-assign]
        for name, (description, schema) in HEADERS.items():
            header = {"description": description, "schema": schema, "required": True}
            spec.components.header(name, header, lazy=True)

    def path_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        parameters: list[dict[str, Any]] | None = None,
        **_kwargs: Any,
    ) -> None:
        """Say what may stand in the path."""
        for parameter in parameters or []:
            if parameter["in"] == "path":
                parameter.setdefault("description", PATH_PARAMETERS.get(parameter["name"], "Id."))
                if parameter["schema"]["type"] == "integer":
                    parameter["schema"].update(minimum=1, maximum=10**18 - 1)

    def operation_helper(
        self,
        path: str | None = None,
        operations: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Name the operations after their view, PUT, which means PATCH, apart from it; and add the
        answers that follow from how they are built."""
        rule: Rule = kwargs["rule"]
        for method, operation in (operations or {}).items():
            alias = method == "put" and "patch" in (operations or {})
            operation["operationId"] = rule.endpoint + (".put" if alias else "")
            tagged = method == "get" and operation.pop("x-public", False)
            operation.pop("x-public", None)
            if tagged:
                operation.setdefault("parameters", []).append(IF_NONE_MATCH)
            self._describe_answers(operation, tagged)
            refused = self._refusals(method, path or "", operation, tagged)
            operation["responses"].update({status: refusal_name(status) for status in refused})

    def _describe_answers(self, operation: dict[str, Any], tagged: bool) -> None:
        """Which headers each answer carries; and 304, where an ETag is sent."""
        for status, answer in operation["responses"].items():
            if isinstance(answer, dict):
                names = self._headers_of(int(status), answer, tagged)
                answer["headers"] = {**{n: n for n in names}, **answer.get("headers", {})}
        if tagged:
            headers = {name: name for name in ("X-Request-ID", "ETag")}
            operation["responses"][304] = {"description": "Not Modified", "headers": headers}

    def _headers_of(self, status: int, answer: dict[str, Any], tagged: bool) -> list[str]:
        schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
        held = {
            "X-Request-ID": True,
            "Location": status == 201,
            "Link": schema.get("$ref", "").endswith("List"),
            "ETag": tagged,
        }
        return [name for name, carried in held.items() if carried]

    def _refusals(
        self, method: str, path: str, operation: dict[str, Any], tagged: bool
    ) -> list[int]:
        """The statuses of the refusals that an operation can meet, from how it is built."""
        parameters = operation.get("parameters", [])
        body = "requestBody" in operation
        precondition = any(parameter["name"] == "If-Match" for parameter in parameters)
        met = {
            400: body,
            403: operation.get("x-needs") == "admin",
            404: "{" in path or self._names_others(operation),
            409: method in WRITES,
            412: precondition or tagged,
            413: body,
            415: body,
            422: body or any(parameter["in"] == "query" for parameter in parameters),
        }
        return sorted([*ALWAYS, *(status for status, possible in met.items() if possible)])

    def _names_others(self, operation: dict[str, Any]) -> bool:
        """Whether the body refers to other things by their ids, which may not be there."""
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        fields = self.spec.components.schemas.get(name, {}).get("properties", {})
        return any(field.endswith("_id") for field in fields)


def refusal_name(status: int) -> str:
    """What the answers of a refusal are called among the document's components."""
    return TITLES[status].replace(" ", "")


def describe_refusals(spec: APISpec, problem: Any) -> None:
    """Register each refusal as the problem (RFC 9457) that it is."""
    for status, title in TITLES.items():
        named = [name for code, name in HEADERS_OF_REFUSALS.items() if code == status]
        answer = {
            "description": title,
            "content": {"application/problem+json": {"schema": problem}},
            "headers": {name: name for name in ["X-Request-ID", *named]},
        }
        spec.components.response(refusal_name(status), answer, lazy=True)

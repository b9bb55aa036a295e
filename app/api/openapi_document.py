"""The parts of an OpenAPI 3.1 document that this package reads and writes."""

from collections.abc import Iterator
from typing import Any, TypedDict

METHODS = ("get", "post", "put", "patch", "delete")
SCHEMA_PREFIX = "#/components/schemas/"
JsonSchema = dict[str, Any]
"""JSON Schema 2020-12: which members there are, and of which type, depends on the others."""

Parameter = TypedDict(
    "Parameter",
    {"in": str, "name": str, "description": str, "required": bool, "schema": JsonSchema},
    total=False,
)


class LinkObject(TypedDict):
    operationId: str
    parameters: dict[str, str]


class Media(TypedDict):
    """A body of one content type."""

    schema: JsonSchema


class RequestBody(TypedDict, total=False):
    """What a request carries, by content type."""

    content: dict[str, Media]
    required: bool


class ResponseObject(TypedDict, total=False):
    """One response of an operation."""

    description: str
    content: dict[str, Media]
    headers: dict[str, str]
    links: dict[str, LinkObject]


Operation = TypedDict(
    "Operation",
    {
        "operationId": str,
        "parameters": list[Parameter],
        "requestBody": RequestBody,
        "responses": dict[str | int, ResponseObject | str],
        "x-needs": str,
        "x-public": bool,
    },
    total=False,
)
PathItem = dict[str, Operation]
"""Operations by method. Members beside the methods are left alone."""


class Components(TypedDict, total=False):
    """What the rest of a document refers to, by name."""

    schemas: dict[str, JsonSchema]
    responses: dict[str, ResponseObject]


class Document(TypedDict):
    """A whole OpenAPI document."""

    paths: dict[str, PathItem]
    components: Components


def operations(document: Document) -> Iterator[Operation]:
    """Every operation of a document."""
    for item in document["paths"].values():
        yield from (item[method] for method in METHODS if method in item)


def answers(operation: Operation) -> Iterator[tuple[str, ResponseObject]]:
    """The answers that an operation describes itself, with their statuses; references are left out."""
    for status, answer in operation.get("responses", {}).items():
        if not isinstance(answer, str) and "$ref" not in answer:
            yield str(status), answer


def json_schema(part: RequestBody | ResponseObject) -> JsonSchema:
    """The schema of a part's JSON body; an empty one if it has none."""
    media = part.get("content", {}).get("application/json")
    return media["schema"] if media else {}


def schema_name(schema: JsonSchema) -> str:
    """The name of the component that a schema refers to; empty if it refers to none."""
    return str(schema.get("$ref", "")).removeprefix(SCHEMA_PREFIX)

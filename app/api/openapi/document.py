"""The parts of an OpenAPI 3.1 document that this package reads and writes."""

from collections.abc import Iterator
from typing import Any

METHODS = ("get", "post", "put", "patch", "delete")
SCHEMA_PREFIX = "#/components/schemas/"
JsonObject = dict[str, Any]
"""A part of the document: which members there are, and of which type, depends on its kind."""


def operations(document: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Every operation of a document, with its method."""
    for item in document["paths"].values():
        yield from ((method, item[method]) for method in METHODS if method in item)


def answers(operation: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """The answers that an operation describes itself, with their statuses; references are left out."""
    for status, answer in operation.get("responses", {}).items():
        if not isinstance(answer, str) and "$ref" not in answer:
            yield str(status), answer


def json_schema(part: JsonObject) -> JsonObject:
    """The schema of a part's JSON body; an empty one if it has none."""
    media = part.get("content", {}).get("application/json")
    return media["schema"] if media else {}


def schema_name(schema: JsonObject) -> str:
    """The name of the component that a schema refers to; empty if it refers to none."""
    return str(schema.get("$ref", "")).removeprefix(SCHEMA_PREFIX)

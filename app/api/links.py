"""Links between operations (OpenAPI 3.1, section 4.8.20): which answer knows the id that another
operation asks for. They follow from the paths: what `/things` makes or lists, `/things/{thing}` takes.
"""

import re
from typing import Any

from app.api.request_response_schemas import METHODS, PREFIX

Json = dict[str, Any]


def add_links(document: Json) -> Json:
    """The same document, with links from every answer that shows an id to all who take it."""
    for path, item in document["paths"].items():
        for method in METHODS:
            for answer in _successes(item.get(method, {})):
                links = _links(document, path, answer)
                if links:
                    answer["links"] = links
    return document


def _successes(operation: Json) -> list[Json]:
    answers = operation.get("responses", {}).items()
    return [answer for status, answer in answers if status.startswith("2") and "content" in answer]


def _links(document: Json, path: str, answer: Json) -> Json:
    """The links of one answer, by the operation that each leads to."""
    source = _where_the_id_is(document, answer)
    if source is None:
        return {}
    found = {}
    for target, item in document["paths"].items():
        below = re.match(re.escape(path) + r"/\{(\w+)\}(/|$)", target)
        if below and target.count("{") == 1 + path.count("{"):
            parameters = {below[1]: f"$response.body#{source}", **_inherited(path)}
            for method in METHODS:
                if method in item:
                    name = item[method]["operationId"]
                    found[name] = {"operationId": name, "parameters": parameters}
    return found


def _where_the_id_is(document: Json, answer: Json) -> str | None:
    """A JSON pointer to an id in an answer: its own, or that of the first thing it lists."""
    fields = _fields(document, answer["content"].get("application/json", {}).get("schema", {}))
    if "id" in fields:
        return "/id"
    listed = fields.get("items", {}).get("items", {})
    return "/items/0/id" if "id" in _fields(document, listed) else None


def _fields(document: Json, schema: Json) -> Json:
    name = schema.get("$ref", "").removeprefix(PREFIX)
    fields: Json = document["components"]["schemas"].get(name, {}).get("properties", {})
    return fields


def _inherited(path: str) -> Json:
    return {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", path)}

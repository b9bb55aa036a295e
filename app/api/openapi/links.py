"""Links between operations (OpenAPI 3.1, section 4.8.20): which answer holds the id that another
operation takes. They follow from the paths: the answers of `/things` hold the id for `/things/{thing}`.
"""

import re

from app.api.openapi.document import METHODS, JsonObject, answers, json_schema, schema_name


def add_links(document: JsonObject) -> JsonObject:
    """Add links from every answer that holds an id to the operations that take it."""
    for path, item in document["paths"].items():
        for method in METHODS:
            for status, answer in answers(item.get(method, {})):
                if status.startswith("2") and "content" in answer:
                    links = _links(document, path, answer)
                    if links:
                        answer["links"] = links
    return document


def _links(document: JsonObject, path: str, answer: JsonObject) -> dict[str, JsonObject]:
    """The links of one answer, by the `operationId` of their targets."""
    pointer = _id_pointer(document, answer)
    if pointer is None:
        return {}
    links: dict[str, JsonObject] = {}
    for target, item in document["paths"].items():
        below = re.match(re.escape(path) + r"/\{(\w+)\}(/|$)", target)
        if below and target.count("{") == 1 + path.count("{"):
            parameters = {below[1]: f"$response.body#{pointer}", **_path_parameters(path)}
            for method in METHODS:
                if method in item:
                    name = item[method]["operationId"]
                    links[name] = {"operationId": name, "parameters": parameters}
    return links


def _id_pointer(document: JsonObject, answer: JsonObject) -> str | None:
    """A JSON pointer to the id in an answer: its own, or that of the first item of a list."""
    fields = _fields(document, json_schema(answer))
    if "id" in fields:
        return "/id"
    item = fields.get("items", {}).get("items", {})
    return "/items/0/id" if "id" in _fields(document, item) else None


def _fields(document: JsonObject, schema: JsonObject) -> dict[str, JsonObject]:
    component = document["components"]["schemas"].get(schema_name(schema), {})
    fields: dict[str, JsonObject] = component.get("properties", {})
    return fields


def _path_parameters(path: str) -> dict[str, str]:
    return {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", path)}

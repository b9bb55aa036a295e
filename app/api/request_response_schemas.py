"""Documents what goes in and what comes out apart, although one marshmallow schema does both.

Fields may carry marks that OpenAPI does not have: `x-null` names the only direction in which null is
allowed, `x-optional` marks a field that some answers lack, `x-money` is the largest amount that may be
sent. `split_directions` applies the marks and removes them.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Literal

from app.api.openapi_document import SCHEMA_PREFIX, JsonObject, answers, operations, schema_name
from app.domain.money import places

Direction = Literal["in", "out"]
MARKS = ("readOnly", "writeOnly", "x-null", "x-optional", "x-money")
CONSTRAINTS_OF_INPUT = ("maximum", "maxItems", "default")
"""Answers may exceed what one request may send: a stock is summed over variants, a total grows."""


def split_directions(document: JsonObject, currency: str) -> JsonObject:
    """A copy of the document with separate schemas for requests and answers.

    A schema for answers has the original name and requires all fields that are not `x-optional`. A
    schema for requests lacks the fields that are `readOnly`, and has the original name, or that name
    with `Input` appended if an answer uses it, too.
    """
    document = deepcopy(document)
    schemas = _DirectedSchemas(document["components"]["schemas"], places(currency))
    for answer in _all_answers(document):
        for media in answer.get("content", {}).values():
            media["schema"] = schemas.directed("out", media["schema"])
    for operation in operations(document):
        body = operation.get("requestBody", {})
        for media in body.get("content", {}).values():
            media["schema"] = schemas.directed("in", media["schema"])
            body["required"] = schemas.has_required_fields(media["schema"])
        for parameter in operation.get("parameters", []):
            parameter["schema"] = schemas.of_parameter(parameter["schema"])
    document["components"]["schemas"] = dict(sorted(schemas.components.items()))
    return document


def _all_answers(document: JsonObject) -> Iterator[JsonObject]:
    yield from document["components"].get("responses", {}).values()
    for operation in operations(document):
        yield from (answer for _status, answer in answers(operation))


class _DirectedSchemas:
    """The schemas by direction. Each is built when something first refers to it."""

    def __init__(self, originals: dict[str, JsonObject], money_places: int) -> None:
        self.originals, self.places = originals, money_places
        self.components: dict[str, JsonObject] = {}
        self._names: dict[tuple[Direction, str], str] = {}

    def directed(self, direction: Direction, schema: JsonObject) -> JsonObject:
        """A schema, and everything it refers to, for one direction."""
        if "$ref" in schema:
            return {"$ref": SCHEMA_PREFIX + self._component(direction, schema_name(schema))}
        result = {key: value for key, value in schema.items() if key not in MARKS}
        if direction == "out":
            result = {k: value for k, value in result.items() if k not in CONSTRAINTS_OF_INPUT}
        if schema.get("x-null", direction) != direction:
            result["type"] = _without_null(result["type"])
        if "x-money" in schema:
            result.update(self._money(direction, schema))
        if "properties" in schema:
            return self._object(direction, result)
        return {key: self._part(direction, value) for key, value in result.items()}

    def of_parameter(self, schema: JsonObject) -> JsonObject:
        """The schema of a parameter. It is text, so there is no null, and money is no number."""
        result = self.directed("in", {**schema, "x-null": "out"})
        if isinstance(result.get("type"), list):
            result["type"] = _without_null([kind for kind in result["type"] if kind != "number"])
        if "enum" in result:
            result["enum"] = [choice for choice in result["enum"] if choice is not None]
        if result["type"] == "string":
            for constraint in ("minimum", "maximum", "multipleOf"):
                result.pop(constraint, None)
        if result.get("default", "") in (None, ""):
            result.pop("default", None)
        return result

    def has_required_fields(self, schema: JsonObject) -> bool:
        """Whether an object of this schema, which may be a reference, must have any field."""
        return bool(self.components.get(schema_name(schema), schema).get("required"))

    def _part(self, direction: Direction, value: object) -> object:
        if isinstance(value, list):
            return [self._part(direction, part) for part in value]
        return self.directed(direction, value) if isinstance(value, dict) else value

    def _component(self, direction: Direction, name: str) -> str:
        if (direction, name) not in self._names:
            is_taken = direction == "in" and ("out", name) in self._names
            component = f"{name}Input" if is_taken else name
            # The name is stored before the schema is built: a schema may refer to itself.
            self._names[direction, name] = component
            self.components[component] = self.directed(direction, self.originals[name])
        return self._names[direction, name]

    def _object(self, direction: Direction, schema: JsonObject) -> JsonObject:
        hidden = "readOnly" if direction == "in" else "writeOnly"
        fields = {n: field for n, field in schema["properties"].items() if not field.get(hidden)}
        always = [n for n, field in fields.items() if "x-optional" not in field]
        required = schema.get("required", []) if direction == "in" else always
        properties = {n: self.directed(direction, field) for n, field in fields.items()}
        result = {
            **schema,
            "properties": properties,
            "required": [n for n in required if n in properties],
        }
        return (
            result if result["required"] else {k: v for k, v in result.items() if k != "required"}
        )

    def _money(self, direction: Direction, schema: JsonObject) -> JsonObject:
        """An amount: text in answers, text or a number in requests. It never has more places than
        the currency, except trailing zeros."""
        whole = len(str(schema["x-money"])) - self.places
        if direction == "out":
            pattern = rf"^[0-9]+\.[0-9]{{{self.places}}}$" if self.places else "^[0-9]+$"
            return {"pattern": pattern}
        fraction = rf"(\.[0-9]{{1,{self.places}}}0*)?" if self.places else r"(\.0+)?"
        null = ["null"] if "null" in schema["type"] else []
        return {
            "type": ["string", "number", *null],
            "pattern": f"^0*[0-9]{{1,{whole}}}{fraction}$",
            "maxLength": 40,
            "minimum": 0,
            "maximum": _major(schema["x-money"], self.places),
            "multipleOf": 10**-self.places,
        }


def _major(minor: int, money_places: int) -> float | int:
    # A float cannot hold the fraction of a number this large.
    unit: int = 10**money_places
    return minor / unit if minor < 2**53 else minor // unit


def _without_null(types: str | list[str]) -> str | list[str]:
    if isinstance(types, str):
        return types
    rest = [kind for kind in types if kind != "null"]
    return rest[0] if len(rest) == 1 else rest

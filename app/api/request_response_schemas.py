"""One schema reads and writes, but what goes in and what comes out are documented apart.

Fields may carry marks beside what OpenAPI knows: `x-null` names the only direction in which null
may stand, `x-optional` a field that some answers lack, `x-money` the most that may be sent.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Literal

from app.domain.money import places

Direction = Literal["in", "out"]
Json = dict[str, Any]
METHODS = ("get", "post", "put", "patch", "delete")
PREFIX = "#/components/schemas/"
MARKS = ("readOnly", "writeOnly", "x-null", "x-optional", "x-money")
CONSTRAINTS_OF_INPUT = ("maximum", "maxItems", "default")
"""Answers may exceed what one request may send: a stock is summed over variants, a total grows."""


def split_directions(document: Json, currency: str) -> Json:
    """The document with a shape of its own for each direction of a schema.

    An answer keeps the schema's name and always has all fields. A request has the name, or with
    `Input` behind it where the name is an answer's; fields that are only read are gone from it.
    """
    document = deepcopy(document)
    shapes = _Shapes(document["components"]["schemas"], places(currency))
    for answer in _answers(document):
        for content in answer.get("content", {}).values():
            content["schema"] = shapes.facing("out", content["schema"])
    for operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            content["schema"] = shapes.facing("in", content["schema"])
            operation["requestBody"]["required"] = bool(shapes.required(content["schema"]))
        for parameter in operation.get("parameters", []):
            parameter["schema"] = shapes.in_text(parameter["schema"])
    document["components"]["schemas"] = dict(sorted(shapes.made.items()))
    return document


def operations(document: Json) -> Iterator[Json]:
    """Every operation of a document."""
    for item in document["paths"].values():
        yield from (item[method] for method in METHODS if method in item)


def _answers(document: Json) -> Iterator[Json]:
    yield from document["components"].get("responses", {}).values()
    for operation in operations(document):
        yield from operation["responses"].values()


class _Shapes:
    """The shapes that were asked for so far, made of the schemas when they are first met."""

    def __init__(self, schemas: Json, money_places: int) -> None:
        self.schemas, self.places = schemas, money_places
        self.made: Json = {}
        self._names: dict[tuple[Direction, str], str] = {}

    def facing(self, direction: Direction, schema: Any) -> Any:
        """A schema, and all that it refers to, as it is for one direction."""
        if isinstance(schema, list):
            return [self.facing(direction, part) for part in schema]
        if not isinstance(schema, dict):
            return schema
        if "$ref" in schema:
            return {"$ref": PREFIX + self._named(direction, schema["$ref"].removeprefix(PREFIX))}
        found = {key: value for key, value in schema.items() if key not in MARKS}
        if direction == "out":
            found = {k: value for k, value in found.items() if k not in CONSTRAINTS_OF_INPUT}
        if schema.get("x-null", direction) != direction:
            found["type"] = _without_null(found["type"])
        if "x-money" in schema:
            found.update(self._money(direction, schema))
        if "properties" in schema:
            return self._object(direction, found)
        return {key: self.facing(direction, value) for key, value in found.items()}

    def in_text(self, schema: Json) -> Json:
        """The schema of a parameter, which is text: there is no null, and money is no number."""
        found = self.facing("in", {**schema, "x-null": "out"})
        if isinstance(found.get("type"), list):
            found["type"] = _without_null([kind for kind in found["type"] if kind != "number"])
        if "enum" in found:
            found["enum"] = [choice for choice in found["enum"] if choice is not None]
        for constraint in ("minimum", "maximum", "multipleOf") if found["type"] == "string" else ():
            found.pop(constraint, None)
        if found.get("default", "") in (None, ""):
            found.pop("default", None)
        return dict(found)

    def required(self, schema: Json) -> list[str]:
        """The fields that a shape must have."""
        shape = self.made.get(schema.get("$ref", "").removeprefix(PREFIX), schema)
        return list(shape.get("required", []))

    def _named(self, direction: Direction, name: str) -> str:
        if (direction, name) not in self._names:
            answered = direction == "in" and ("out", name) in self._names
            shape = f"{name}Input" if answered else name
            self._names[direction, name] = (
                shape  # named before it is made: shapes may hold themselves
            )
            self.made[shape] = self.facing(direction, self.schemas[name])
        return self._names[direction, name]

    def _object(self, direction: Direction, schema: Json) -> Json:
        hidden = "readOnly" if direction == "in" else "writeOnly"
        fields = {n: facts for n, facts in schema["properties"].items() if not facts.get(hidden)}
        always = [n for n, facts in fields.items() if "x-optional" not in facts]
        must = schema.get("required", []) if direction == "in" else always
        shown = {n: self.facing(direction, facts) for n, facts in fields.items()}
        made = {**schema, "properties": shown, "required": [n for n in must if n in shown]}
        return made if made["required"] else {k: v for k, v in made.items() if k != "required"}

    def _money(self, direction: Direction, schema: Json) -> Json:
        """An amount: text in answers, text or a number in requests, never of more places than the
        currency has; trailing zeros do no harm."""
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
    # Numbers this large are no longer told apart by their fractions.
    unit: int = 10**money_places
    return minor / unit if minor < 2**53 else minor // unit


def _without_null(types: Any) -> Any:
    if not isinstance(types, list):
        return types
    left = [kind for kind in types if kind != "null"]
    return left[0] if len(left) == 1 else left

"""Documents what goes in and what comes out apart, although one marshmallow schema does both.

Fields may carry marks that OpenAPI does not have. `split_directions` applies and removes them:

- `x-null` names the only direction in which null is allowed;
- `x-optional` marks a field that some answers lack;
- `x-edit-only` marks a field that the request which creates something does not take;
- `x-money` is the largest amount that may be sent;
- `x-choice` marks fields of which a request that creates something needs `any`, or exactly `one`. Such
  a schema becomes a choice of schemas, one for each of these fields, which requires it.

Requests have no `default`, because generators for TypeScript then require the field; the description
says it instead. Answers allow fields that are added later, requests do not.
"""

from collections.abc import Collection, Iterator
from copy import deepcopy
from typing import Literal

from app.api.openapi.document import SCHEMA_PREFIX, JsonObject, answers, operations, schema_name
from app.domain.money import MAX_PRICE, places, to_text

Direction = Literal["in", "out"]
MARKS = (
    "readOnly", "writeOnly", "default", "x-null", "x-optional", "x-edit-only", "x-money", "x-choice"
)  # fmt: skip
CHOICES = {"any": "anyOf", "one": "oneOf"}
CONSTRAINTS_OF_INPUT = ("maximum", "maxItems", "additionalProperties")
"""Answers may exceed what one request may send: a stock is summed over variants, a total grows."""


def split_directions(document: JsonObject, currency: str) -> JsonObject:
    """A copy of the document with separate schemas for requests and answers.

    A schema for answers has the original name and requires all fields that are not `x-optional`. A
    schema for requests lacks the fields that are `readOnly`, and has the original name, or that name
    with `Input` appended if an answer uses it, too.
    """
    document = deepcopy(document)
    schemas = _DirectedSchemas(document["components"]["schemas"], currency)
    for answer in _all_answers(document):
        for media in answer.get("content", {}).values():
            media["schema"] = schemas.directed("out", media["schema"])
    for _method, operation in operations(document):
        body = operation.get("requestBody", {})
        for media in body.get("content", {}).values():
            media["schema"] = schemas.directed("in", media["schema"])
            body["required"] = schemas.has_required_fields(media["schema"])
        for parameter in operation.get("parameters", []):
            parameter["schema"] = schemas.of_parameter(parameter["schema"])
            if "description" in parameter["schema"]:
                parameter.setdefault("description", parameter["schema"].pop("description"))
    document["components"]["schemas"] = dict(sorted(schemas.components.items()))
    return document


def _all_answers(document: JsonObject) -> Iterator[JsonObject]:
    yield from document["components"].get("responses", {}).values()
    for _method, operation in operations(document):
        yield from (answer for _status, answer in answers(operation))


class _DirectedSchemas:
    """The schemas by direction. Each is built when something first refers to it."""

    def __init__(self, originals: dict[str, JsonObject], currency: str) -> None:
        self.originals, self.currency, self.places = originals, currency, places(currency)
        self.components: dict[str, JsonObject] = {}
        self._names: dict[tuple[Direction, str], str] = {}

    def directed(self, direction: Direction, schema: JsonObject) -> JsonObject:
        """A schema, and everything it refers to, for one direction."""
        if "$ref" in schema:
            return {"$ref": SCHEMA_PREFIX + self._component(direction, schema_name(schema))}
        result = {key: value for key, value in schema.items() if key not in MARKS}
        if direction == "in":
            _describe_default(result, schema.get("default"))
        else:
            result = {k: value for k, value in result.items() if not _limits_input(k, value)}
        if schema.get("x-null", direction) != direction:
            result["type"] = _without_null(result["type"])
        if "x-money" in schema:
            return self._money(direction, schema)
        _add_format(result)
        if "properties" in schema:
            return self._object(direction, result)
        return {key: self._part(direction, value) for key, value in result.items()}

    def of_parameter(self, schema: JsonObject) -> JsonObject:
        """The schema of a parameter. It is text, so there is no null."""
        result = self.directed("in", {**schema, "x-null": "out"})
        if "enum" in result:
            result["enum"] = [choice for choice in result["enum"] if choice is not None]
        return result

    def has_required_fields(self, schema: JsonObject) -> bool:
        """Whether an object of this schema, which may be a reference, must have any field."""
        component = self.components.get(schema_name(schema), schema)
        return bool(component.get("required") or component.keys() & CHOICES.values())

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
            original = self.originals[name]
            if direction == "in" and not name.endswith("Update"):
                self._add_new(component, original)
            else:
                self.components[component] = self.directed(direction, original)
        return self._names[direction, name]

    def _add_new(self, component: str, original: JsonObject) -> None:
        """Add the schema of a request that creates something."""
        fields = {
            n: field for n, field in original["properties"].items() if "x-edit-only" not in field
        }
        marks = {n: field["x-choice"] for n, field in fields.items() if "x-choice" in field}
        schema = self.directed("in", {**original, "properties": fields})
        if not marks:
            self.components[component] = schema
            return
        mark, names = next(iter(marks.values())), []
        for name in marks:
            names.append(component + "With" + name.title().replace("_", ""))
            others = marks.keys() - {name} if mark == "one" else ()
            self.components[names[-1]] = _requiring(schema, name, others)
        self.components[component] = {
            CHOICES[mark]: [{"$ref": SCHEMA_PREFIX + name} for name in names],
            **{k: value for k, value in original.items() if k == "description"},
        }

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
        """A reference to the schema of amounts: text in either direction, so that clients have one type
        for money. (A JSON number is taken, too.)"""
        if direction == "out":
            name, amount = "Money", self._text_of_money(schema["x-money"], "^[0-9]+", exact=True)
        else:
            largest = schema["x-money"]
            name = "Price" if largest == MAX_PRICE else "Total"
            whole = len(str(largest)) - self.places
            amount = self._text_of_money(largest, f"^0*[0-9]{{1,{whole}}}", exact=False)
        self.components[name] = amount
        reference: JsonObject = {"$ref": SCHEMA_PREFIX + name}
        may_be_null = "null" in schema["type"] and schema.get("x-null", direction) == direction
        result = {"anyOf": [reference, {"type": "null"}]} if may_be_null else reference
        return {**result, **{k: v for k, v in schema.items() if k == "description"}}

    def _text_of_money(self, largest: int, whole: str, exact: bool) -> JsonObject:
        if exact:
            pattern = rf"{whole}\.[0-9]{{{self.places}}}$" if self.places else f"{whole}$"
            text = "An amount in the currency that stands beside it."
            return {"type": "string", "description": text, "pattern": pattern}
        fraction = rf"(\.[0-9]{{1,{self.places}}})?" if self.places else ""
        text = f"An amount in the shop's currency, up to {to_text(largest, self.currency)}."
        pattern = f"{whole}{fraction}$"
        return {"type": "string", "description": text, "pattern": pattern, "maxLength": 40}


def _requiring(schema: JsonObject, name: str, others: Collection[str]) -> JsonObject:
    """The schema with one more required field, and without some."""
    fields = {n: field for n, field in schema["properties"].items() if n not in others}
    required = [*schema.get("required", ()), name]
    return {**schema, "properties": fields, "required": required}


def _describe_default(schema: JsonObject, default: object) -> None:
    if default in (None, "") or "description" in schema:
        return
    text = str(default).lower() if isinstance(default, bool) else default
    schema["description"] = f"{text} if it is left out."


def _limits_input(key: str, value: object) -> bool:
    # additionalProperties may also describe the values of a map.
    return key in CONSTRAINTS_OF_INPUT and not isinstance(value, dict)


def _add_format(schema: JsonObject) -> None:
    if schema.get("type") in ("integer", ["integer", "null"]) and "format" not in schema:
        is_small = (
            schema.get("minimum", -(2**63)) >= -(2**31) and schema.get("maximum", 2**63) < 2**31
        )
        schema["format"] = "int32" if is_small else "int64"


def _without_null(types: str | list[str]) -> str | list[str]:
    if isinstance(types, str):
        return types
    rest = [kind for kind in types if kind != "null"]
    return rest[0] if len(rest) == 1 else rest

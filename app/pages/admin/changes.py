"""Formats the changes in the audit trail for people."""

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from app.pages.formats import money, number
from app.services.audit.trail import CATEGORY_FIELDS, SubjectNames

MONEY_FIELDS = ("price", "compare_at_price")
LONGEST = 300
"""The most characters of a value that are shown."""


class Change(NamedTuple):
    """A field with its values as text; an empty text stands for no value."""

    name: str
    before: str
    after: str


def readable(changes: Mapping[str, Sequence[object]], names: SubjectNames) -> list[Change]:
    """Format changes of the audit trail: money with its currency, categories by their names."""
    return [
        Change(_label(name), *(_value(name, value, names) for value in pair))
        for name, pair in changes.items()
    ]


def _label(name: str) -> str:
    """`variants.7.price` in words: `variant 7: price`."""
    parts = name.split(".")
    field = parts[-1].removesuffix("_id").replace("_", " ")
    return f"variant {parts[1]}: {field}" if len(parts) == 3 else field


def _value(name: str, value: object, names: SubjectNames) -> str:
    field = name.rpartition(".")[2]
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(field, value, names)
    if field == "images" and isinstance(value, list):
        return f"{len(value)} {'picture' if len(value) == 1 else 'pictures'}"
    text = _text(value)
    return text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "…"


def _number(field: str, value: int, names: SubjectNames) -> str:
    if field in MONEY_FIELDS:
        return money(value)
    if field in CATEGORY_FIELDS:
        category = names.get(("category", value))
        return category.name if category else f"category {value}"
    return number(value)


def _text(value: object) -> str:
    """Options as `Size: S, M`; other lists and objects as their parts."""
    if isinstance(value, Mapping):
        if {"name", "values"} <= value.keys():
            return f"{value['name']}: {_text(value['values'])}"
        return ", ".join(f"{name}: {_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        between = "; " if isinstance(value[0], Mapping) else ", "
        return between.join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value)

"""Changed fields as people read them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.pages.formats import money, number
from app.services.audit.trail import CATEGORY_FIELDS, SubjectNames

MONEY_FIELDS = ("price", "compare_at_price")
LONGEST = 300
"""Characters of a value that are shown."""


class Change(NamedTuple):
    """A field in words; an empty text stands for nothing."""

    name: str
    before: str
    after: str


def readable(changes: Mapping[str, Sequence[Any]], names: SubjectNames) -> list[Change]:
    """Changes as the audit trail has them, money with its currency, categories by their names."""
    return [
        Change(_label(name), *(_value(name, value, names) for value in pair))
        for name, pair in changes.items()
    ]


def _label(name: str) -> str:
    """`variants.7.price` in words: `variant 7: price`."""
    parts = name.split(".")
    field = parts[-1].removesuffix("_id").replace("_", " ")
    return f"variant {parts[1]}: {field}" if len(parts) == 3 else field


def _value(name: str, value: Any, names: SubjectNames) -> str:
    field = name.rpartition(".")[2]
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _number(field, value, names)
    if field == "images":
        return f"{len(value)} {'picture' if len(value) == 1 else 'pictures'}"
    text = _in_words(value)
    return text if len(text) <= LONGEST else text[:LONGEST].rstrip() + "…"


def _number(field: str, value: int, names: SubjectNames) -> str:
    if field in MONEY_FIELDS:
        return money(value)
    if field in CATEGORY_FIELDS:
        category = names.get(("category", value))
        return category.name if category else f"category {value}"
    return number(value)


def _in_words(value: Any) -> str:
    """Options as `Size: S, M`; other lists and objects by their parts."""
    if isinstance(value, Mapping):
        if {"name", "values"} <= value.keys():
            return f"{value['name']}: {_in_words(value['values'])}"
        return ", ".join(f"{name}: {_in_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        between = "; " if isinstance(value[0], Mapping) else ", "
        return between.join(map(_in_words, value))
    return value if isinstance(value, str) else json.dumps(value)

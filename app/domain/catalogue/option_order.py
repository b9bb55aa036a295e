"""The order of an option's values: sizes from small to large, numbers by their amount.

A product's own values keep the order in which the merchant gave them. This is for values of several products,
each of which has an order of its own, such as the choices beside a list.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

_WORDS = (("extra", "x"), ("small", "s"), ("medium", "m"), ("large", "l"))
_LETTERS = re.compile(r"(?:([0-9]{1,2})x|(x{0,9}))(s|m|l)")
_FOR_ALL = ("one size", "onesize", "one size fits all", "os", "universal")
_RANGE = re.compile(r"\s?[/–-]\s?|\sto\s")
_TIMES = re.compile(r"\s?[x×]\s?(?=[0-9])|\s?[/–-]\s?|\sto\s")
_NUMBER = re.compile(
    r"([a-z]{0,4})\s*([0-9]{1,9}(?:[.,][0-9]{1,3})?)\s*([a-zµ\"″']{0,8})", re.IGNORECASE
)
_UNITS = {
    "mm": ("m", 0.001), "cm": ("m", 0.01), "m": ("m", 1.0), "in": ("m", 0.0254), '"': ("m", 0.0254),
    "″": ("m", 0.0254), "ft": ("m", 0.3048), "ml": ("l", 0.001), "cl": ("l", 0.01), "dl": ("l", 0.1),
    "l": ("l", 1.0), "mg": ("g", 0.001), "g": ("g", 1.0), "kg": ("g", 1000.0), "oz": ("g", 28.35),
    "lb": ("g", 453.6), "mb": ("b", 1.0), "gb": ("b", 1e3), "tb": ("b", 1e6), "w": ("w", 1.0),
    "kw": ("w", 1000.0), "inch": ("m", 0.0254), "inches": ("m", 0.0254), "litre": ("l", 1.0),
    "litres": ("l", 1.0), "liter": ("l", 1.0), "liters": ("l", 1.0), "month": ("month", 1.0),
    "months": ("month", 1.0), "mth": ("month", 1.0), "mths": ("month", 1.0), "year": ("month", 12.0),
    "years": ("month", 12.0), "yr": ("month", 12.0), "yrs": ("month", 12.0), "piece": ("piece", 1.0),
    "pieces": ("piece", 1.0),
}  # fmt: skip
"""What a unit measures, and how much of it."""


class _Size(NamedTuple):
    """What values are compared by: the kind of size first, then how large."""

    kind: int
    measure: str
    amounts: tuple[float, ...]


def in_order(values: Sequence[str]) -> list[str]:
    """The values in the order of their sizes, where most of them are sizes; others follow in their order.
    Where most are no sizes, such as colours, all stay as they are."""
    sizes = {value: size for value in values if (size := _size(value)) is not None}
    if 2 * len(sizes) <= len(values):
        return list(values)
    others = [value for value in values if value not in sizes]
    return sorted(sizes, key=lambda value: (sizes[value], value)) + others


def by_values(
    options: Sequence[Mapping[str, Any]], variants: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """A product's variants in the order of the values of its options, as the merchant gave them; those with
    the same values, or of a product without options, stay in their own order."""
    places = {
        option["name"]: {value: place for place, value in enumerate(option["values"])}
        for option in options
    }

    def key(variant: dict[str, Any]) -> list[int]:
        chosen = variant["options"]
        return [place.get(chosen.get(name), len(place)) for name, place in places.items()]

    return sorted(variants, key=key)


def _size(value: str) -> _Size | None:
    text = " ".join(value.lower().split())
    if text in _FOR_ALL:
        return _Size(1, "", ())
    letters = [_letters(part) for part in _RANGE.split(_as_letters(text))]
    if None not in letters:
        return _Size(0, "", (sum(filter(None, letters)) / len(letters),))
    return _numbers(text)


def _as_letters(text: str) -> str:
    for word, letter in _WORDS:
        text = text.replace(word, letter)
    return re.sub(r"x[ -](?=[xsl])", "x", text)


def _letters(text: str) -> float | None:
    """How large a size in letters is: 0 for M, 1 for L, -2 for XS."""
    match = _LETTERS.fullmatch(text)
    if match is None:
        return None
    times = int(match[1]) if match[1] else len(match[2])
    return {"s": -1.0 - times, "m": 0.0, "l": 1.0 + times}[match[3]]


def _numbers(text: str) -> _Size | None:
    """A number, a range or measures, with or without a unit: `42`, `EU 42`, `1.5 l`, `36-40`, `30 x 40 cm`."""
    parts = [_NUMBER.fullmatch(part) for part in _TIMES.split(text)]
    if not all(parts):
        return None
    matches = [part for part in parts if part]
    unit = next((match[3] for match in reversed(matches) if match[3]), "")
    measure, factor = _UNITS.get(unit, (unit, 1.0))
    amounts = tuple(float(match[2].replace(",", ".")) * factor for match in matches)
    return _Size(2, matches[0][1] + measure, amounts)

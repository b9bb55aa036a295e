"""Which options a product may declare, and which variants go with them."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.domain.catalogue.options import options_key
from app.domain.text import NotText, clean
from app.errors import Invalid

MAX_OPTIONS = 5
MAX_VALUES = 50
MAX_VARIANTS = 100
MAX_SKU = 64
MAX_STOCK = 1_000_000_000
"""The most of one variant that staff can put on hand."""

Option = Mapping[str, Any]
"""`{"name": "Size", "values": ["S", "M"]}`"""


class VariantRequired(Invalid):
    """A product alone does not say which of its variants is meant."""

    def __init__(self) -> None:
        detail = "This product comes in several variants: say which."
        super().__init__({"variant_id": [detail]}, code="variant_required", detail=detail)


def clean_sku(text: str) -> str:
    """An article number as it is stored: trimmed, printable, its case kept.

    Raises:
        NotText: nothing printable, or more than MAX_SKU characters.
    """
    sku = clean(text, 1, MAX_SKU)
    if not sku.isprintable():
        raise NotText("Only printable characters.")
    return sku


def check_declared(options: Sequence[Option]) -> None:
    """Each option has a name of its own, and each of its values once.

    Raises:
        Invalid: on `options`.
    """
    names = [option["name"] for option in options]
    if len(set(names)) < len(names):
        raise Invalid({"options": ["Each option needs a name of its own."]})
    for place, option in enumerate(options):
        if len(set(option["values"])) < len(option["values"]):
            raise Invalid({f"options.{place}.values": ["Each value may stand here once."]})


def check_fit(options: Sequence[Option], chosen: Sequence[tuple[str, Mapping[str, str]]]) -> None:
    """Each variant has one declared value of every option, and no two have the same.

    `chosen` pairs the name of the field to complain about with a variant's options.

    Raises:
        Invalid: naming every variant that does not fit.
    """
    wrong: dict[str, list[str]] = {}
    seen: set[str] = set()
    for field, values in chosen:
        problem = misfit(options, values)
        if problem is None and options_key(values) in seen:
            problem = "Another variant has the same options."
        if problem:
            wrong[field] = [problem]
        seen.add(options_key(values))
    if wrong:
        raise Invalid(wrong)


def misfit(options: Sequence[Option], values: Mapping[str, str]) -> str | None:
    """Why a variant's options are not those of its product; None when they are."""
    declared = {option["name"]: option["values"] for option in options}
    unknown = [name for name in values if name not in declared]
    if unknown:
        return f"{unknown[0]} is no option of this product."
    for name, allowed in declared.items():
        if name not in values:
            return f"A value for {name} is missing."
        if values[name] not in allowed:
            return f"{values[name]} is no value of {name}."
    return None


def spread(article: Mapping[str, Any], variants: Sequence[dict[str, Any]], new: bool) -> None:
    """Carry what is said of a product itself (`sku`, `price`, `stock`) over to its variants.

    All of it holds for an only variant. Where all those without a price of their own are `new`,
    the price holds for each of them.

    Raises:
        Invalid: on what cannot be said of several variants at once, or is said twice and differs.
    """
    for name in ("sku", "price", "stock"):
        if name not in article:
            continue
        if len(variants) != 1 and not (new and name == "price"):
            raise Invalid({name: ["This product has several variants: say it of each of them."]})
        # A price beside variants is for those that name none; of the others there is only one.
        if name != "price" and variants[0].get(name, article[name]) != article[name]:
            raise Invalid({name: ["Its only variant says otherwise."]})
        for variant in variants:
            variant.setdefault(name, article[name])

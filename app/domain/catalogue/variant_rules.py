"""Which options a product may declare, and which variants go with them."""

import json
from collections.abc import Mapping, Sequence

from app.domain.catalogue.product_input import (
    SINGLE_VARIANT_FIELDS,
    Option,
    ProductInput,
    VariantInput,
)
from app.domain.text import NotText, clean
from app.errors import Invalid

MAX_OPTIONS = 5
MAX_VALUES = 50
MAX_VARIANTS = 100
MAX_SKU = 64
MAX_STOCK = 1_000_000_000
"""The most of one variant that staff can put on hand."""
MAX_WEIGHT = 10_000_000
"""The highest weight of a unit, in grams."""


class VariantRequired(Invalid):
    """A product has several variants, and the request names none of them."""

    def __init__(self) -> None:
        detail = "This product comes in several variants: choose one."
        super().__init__({"variant_id": [detail]}, code="variant_required", detail=detail)


def clean_sku(text: str) -> str:
    """A SKU as it is stored: trimmed, printable, in its own case.

    Raises:
        NotText: nothing printable, or more than MAX_SKU characters.
    """
    sku = clean(text, 1, MAX_SKU)
    if not text.strip().isprintable():
        raise NotText("Only printable characters.")
    return sku


def check_declared(options: Sequence[Option]) -> None:
    """Check that no two options have the same name, and no option has a value twice, in whatever case.

    Raises:
        Invalid: on `options`.
    """
    if _has_repeated([option["name"] for option in options]):
        raise Invalid({"options": ["Two options have the same name."]})
    for place, option in enumerate(options):
        if _has_repeated(option["values"]):
            raise Invalid({f"options.{place}.values": ["Each value may stand here once."]})


def _has_repeated(texts: Sequence[str]) -> bool:
    return len({text.lower() for text in texts}) < len(texts)


def check_fit(options: Sequence[Option], fields: Sequence[tuple[str, Mapping[str, str]]]) -> None:
    """Check that each variant has one of the values of every option, and no two have the same.

    `fields` pairs the name of the field to complain about with a variant's options.

    Raises:
        Invalid: naming every variant that does not fit.
    """
    errors: dict[str, list[str]] = {}
    keys: set[str] = set()
    for field, values in fields:
        problem = misfit(options, values)
        if problem is None and options_key(values) in keys:
            problem = "Another variant has the same options."
        if problem:
            errors[field] = [problem]
        keys.add(options_key(values))
    if errors:
        raise Invalid(errors)


def options_key(options: Mapping[str, str]) -> str:
    """The options as canonical JSON, for the unique index on a product's variants."""
    if not options:  # most variants
        return "{}"
    return json.dumps(dict(sorted(options.items())), ensure_ascii=False, separators=(",", ":"))


def misfit(options: Sequence[Option], values: Mapping[str, str]) -> str | None:
    """Why a variant's options do not fit those of its product; None if they do."""
    values_of = {option["name"]: option["values"] for option in options}
    unknown = [name for name in values if name not in values_of]
    if unknown:
        return f"{unknown[0]} is no option of this product."
    for name, choices in values_of.items():
        if name not in values:
            return f"A value for {name} is missing."
        if values[name] not in choices:
            return f"{values[name]} is no value of {name}."
    return None


def copy_to_variants(
    product: ProductInput, variants: Sequence[VariantInput], are_new: bool
) -> None:
    """Copy the `sku`, `price`, `stock` and `weight` of a product itself to its variants.

    All of them apply to an only variant. Of several variants, where all that have no price of their
    own are new (`are_new`), the price applies to those.

    Raises:
        Invalid: on what cannot apply to several variants, or differs from what the only one has.
    """
    for name in SINGLE_VARIANT_FIELDS:
        if name not in product:
            continue
        if len(variants) != 1 and not (are_new and name == "price"):
            raise Invalid({name: ["This product has several variants: set it on each of them."]})
        if name != "price" and variants[0].get(name, product[name]) != product[name]:
            raise Invalid({name: ["This differs from the value of its only variant."]})
        for variant in variants:
            # mypy does not see that both values belong to the same field.
            variant.setdefault(name, product[name])  # type: ignore[typeddict-item]

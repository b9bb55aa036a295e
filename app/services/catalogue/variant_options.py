"""Conditions on the variants of a product. Options are JSON, which each database searches its own way."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    String,
    TableValuedAlias,
    any_,
    bindparam,
    exists,
    func,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import InstrumentedAttribute

from app.db.postgresql import is_postgresql
from app.models import Product, Variant
from app.models.availability import IS_IN_STOCK, VARIANT_IS_ACTIVE

Condition = ColumnElement[bool]


class OptionMatch(NamedTuple):
    """One of the options that are chosen: its name, and whether a variant has one of the values."""

    name: ColumnElement[str]
    is_met: Condition


def active_variants(
    in_stock: bool, product_id: ColumnElement[int] | InstrumentedAttribute[int] = Product.id
) -> tuple[Condition, ...]:
    """The conditions of a product's active variants; with `in_stock`, of those that can be sold now."""
    conditions = (Variant.product_id == product_id, VARIANT_IS_ACTIVE)
    return (*conditions, IS_IN_STOCK) if in_stock else conditions


def options(count: int) -> list[OptionMatch]:
    """The conditions of `count` options. Names and values are bound: see `parameters`."""
    names = [bindparam(f"option_{n}", type_=String) for n in range(count)]
    return [OptionMatch(name, _has_value(name, n)) for n, name in enumerate(names)]


def parameters(pairs: Iterable[tuple[str, str]]) -> dict[str, object]:
    """The bound values of `options`, for pairs of an option's name and a value."""
    bound: dict[str, object] = {}
    for n, (name, values) in enumerate(by_name(pairs).items()):
        bound[f"option_{n}"] = name
        bound[f"values_{n}"] = [{name: value} for value in values] if is_postgresql() else values
    return bound


def by_name(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The values that are chosen for each option."""
    values: dict[str, list[str]] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    return values


def key_value_rows(options: ColumnElement[dict[str, str]]) -> TableValuedAlias:
    """The options of a variant as rows of `key` and `value`, to be joined to it."""
    each = func.jsonb_each_text if is_postgresql() else func.json_each
    return each(options).table_valued("key", "value", joins_implicitly=True)


def _has_value(name: ColumnElement[str], n: int) -> Condition:
    if is_postgresql():
        # Containment compares whole values, whatever characters the name has.
        values = bindparam(f"values_{n}", type_=ARRAY(JSONB))
        return Variant.options.op("@>", is_comparison=True)(any_(values))
    each = func.json_each(Variant.options).table_valued("key", "value")
    one_of: BindParameter[str] = bindparam(f"values_{n}", expanding=True)
    return exists().where(each.c.key == name, each.c.value.in_(one_of))

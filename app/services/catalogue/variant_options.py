"""Finding variants by their options, on either database: both look into JSON, each in its way."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, any_, bindparam, exists, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from app.extensions import db
from app.models import Product, Variant

Condition = ColumnElement[bool]


def offered(in_stock: bool, of: Any = Product.id) -> tuple[Condition, ...]:
    """The variants of a product that are on offer; with `in_stock` those that can be had now."""
    conditions: list[Any] = [Variant.product_id == of]
    conditions += [Variant.is_active, Variant.deleted_at.is_(None)]
    if in_stock:
        conditions.append(Variant.on_hand > Variant.allocated)
    return tuple(conditions)


def chosen(number: int) -> list[tuple[ColumnElement[str], Condition]]:
    """For each of so many options: its name, and the variants that have one of the values chosen.
    Names and values are parameters: see `values`."""
    names = [bindparam(f"option_{n}", type_=String) for n in range(number)]
    return [(name, _has(name, n)) for n, name in enumerate(names)]


def values(options: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The parameters of `chosen`, for pairs of an option's name and a value of it."""
    found: dict[str, Any] = {}
    for n, (name, some) in enumerate(by_name(options).items()):
        found[f"option_{n}"] = name
        found[f"values_{n}"] = [{name: value} for value in some] if _is_postgresql() else some
    return found


def by_name(options: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The values chosen for each option."""
    found: dict[str, list[str]] = {}
    for name, value in options:
        found.setdefault(name, []).append(value)
    return found


def pairs(options: ColumnElement[Any]) -> Any:
    """A variant's options as rows of `key` and `value`, to be joined to it."""
    each = func.jsonb_each_text if _is_postgresql() else func.json_each
    return each(options).table_valued("key", "value", joins_implicitly=True)


def _has(name: ColumnElement[str], n: int) -> Condition:
    if _is_postgresql():
        # Containment compares whole values, whatever characters are in the name.
        some = bindparam(f"values_{n}", type_=ARRAY(JSONB))
        return Variant.options.op("@>", is_comparison=True)(any_(some))
    each = func.json_each(Variant.options).table_valued("key", "value")
    some = bindparam(f"values_{n}", expanding=True)
    found: Condition = exists().where(each.c.key == name, each.c.value.in_(some))
    return found


def _is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"

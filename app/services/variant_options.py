"""Finding variants by their options, on either database: both look into JSON, each in its way."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, String, exists, func, literal, or_
from sqlalchemy.dialects.postgresql import JSONB

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


def chosen(options: Iterable[tuple[str, str]]) -> dict[str, Condition]:
    """For each option that is named: the variants that have one of the values chosen."""
    values: dict[str, list[str]] = {}
    for name, value in options:
        values.setdefault(name, []).append(value)
    return {name: _has(name, wanted) for name, wanted in values.items()}


def pairs() -> Any:
    """A variant's options as rows of `key` and `value`, to be joined to it."""
    each = func.jsonb_each_text if _is_postgresql() else func.json_each
    return each(Variant.options).table_valued("key", "value", joins_implicitly=True)


def _has(name: str, values: list[str]) -> Condition:
    if _is_postgresql():
        # Containment compares whole values, whatever characters are in the name.
        contains = Variant.options.op("@>", is_comparison=True)
        return or_(*(contains(literal({name: value}, JSONB)) for value in values))
    each = func.json_each(Variant.options).table_valued("key", "value")
    found: Condition = exists().where(each.c.key == literal(name, String), each.c.value.in_(values))
    return found


def _is_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"

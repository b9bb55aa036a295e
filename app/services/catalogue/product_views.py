"""Products as lists and answers show them: plain values instead of entities that could be changed.

A page of products costs two statements, one product a single one, and no row becomes an object that
the session watches.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, Subquery, bindparam, select

from app.db.prepared import by_owner, prepared, run
from app.models import Category, Product, Variant


class CategoryName(NamedTuple):
    """The category of a product, in short."""

    id: int
    name: str
    slug: str


class VariantView(NamedTuple):
    """One article; `available` is what can be promised now, `price` in minor units."""

    id: int
    sku: str
    options: dict[str, str]
    price: int
    available: int
    is_active: bool


@dataclass(frozen=True)
class ProductView:
    """A product with its category and its variants; prices in minor units."""

    id: int
    name: str
    slug: str
    description: str
    price: int
    compare_at_price: int | None
    options: list[dict[str, Any]]
    images: list[dict[str, Any]]
    is_active: bool
    version: int
    created_at: datetime
    updated_at: datetime
    name_key: str
    category: CategoryName | None
    variants: Sequence[VariantView]

    @property
    def active_variants(self) -> list[VariantView]:
        """What can be bought of it."""
        return [variant for variant in self.variants if variant.is_active]

    @property
    def stock(self) -> int:
        """Units that can be sold now, over all active variants."""
        return sum(variant.available for variant in self.active_variants)


_FACTS: tuple[Any, ...] = (
    Product.id, Product.name, Product.slug, Product.description, Product.price,
    Product.compare_at_price, Product.options, Product.images, Product.is_active, Product.version,
    Product.created_at, Product.updated_at, Product.name_key,
)  # fmt: skip
_CATEGORY: tuple[Any, ...] = (Category.id, Category.name, Category.slug)
_VARIANT: tuple[Any, ...] = (
    Variant.id, Variant.sku, Variant.options, Variant.price,
    (Variant.on_hand - Variant.allocated).label("available"), Variant.is_active,
)  # fmt: skip
_END_OF_FACTS, _END_OF_CATEGORY = len(_FACTS), len(_FACTS) + len(_CATEGORY)
_IN_ORDER = (Variant.position, Variant.id)
_WHOLE = (
    select(*_FACTS, *_CATEGORY)
    .select_from(Product)
    .outerjoin(Category, Category.id == Product.category_id)
)
_WITH_VARIANTS = (
    _WHOLE.add_columns(*_VARIANT)
    .join(Variant, Variant.product_id == Product.id)
    .order_by(*_IN_ORDER)
)
_VARIANTS = (
    select(Variant.product_id, *_VARIANT)
    .where(Variant.product_id.in_(bindparam("ids", expanding=True)))
    .order_by(*_IN_ORDER)
)


def whole(*conditions: ColumnElement[bool]) -> Select[Any]:
    """A statement for `one`, of conditions that one product fits at most."""
    return prepared(_WITH_VARIANTS.where(*conditions))


def one(query: Select[Any], **values: Any) -> ProductView | None:
    """The product that fits a statement that `whole` made, with its values."""
    rows = run(query, values).all()
    variants = [VariantView(*row[_END_OF_CATEGORY:]) for row in rows]
    return _view(rows[0], variants) if rows else None


def listing(
    found: Subquery, order: Sequence[ColumnElement[Any]], total: ColumnElement[int]
) -> Select[Any]:
    """A statement for `some`: the products whose ids are found, in this order, and what `total` is,
    which the database works out in the same statement."""
    query = _WHOLE.add_columns(total).join(found, found.c.id == Product.id)
    return query.order_by(*order)


def some(query: Select[Any], values: Mapping[str, Any]) -> tuple[list[ProductView], int | None]:
    """The products that a statement of `listing` finds, with its values, and their total; None
    where no product is found."""
    rows = run(query, values).all()
    ids = [row[0] for row in rows]
    variants = by_owner(_VARIANTS, ids, VariantView) if rows else {}
    shown = [_view(row, variants[row[0]]) for row in rows]
    return shown, rows[0][-1] if rows else None


def _view(row: Row[Any], variants: Sequence[VariantView]) -> ProductView:
    category: tuple[Any, ...] = row[_END_OF_FACTS:_END_OF_CATEGORY]
    named = CategoryName(*category) if category[0] is not None else None
    facts: tuple[Any, ...] = (*row[:_END_OF_FACTS], named, variants)
    return ProductView(*facts)

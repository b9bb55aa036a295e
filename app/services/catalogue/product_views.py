"""Products as lists and answers show them: plain values instead of entities.

A page of products takes two statements, one product takes one, and the session watches none of the
rows for changes. To load entities instead is simpler, and costs several times as much CPU.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Executable, Row, Subquery, bindparam, select

from app.db.paging import Order
from app.db.prepared import by_owner, prepared, run
from app.domain.catalogue.images import StoredImage
from app.domain.catalogue.product_input import Option
from app.domain.pricing.model import STANDARD
from app.models import Category, Product, Variant
from app.models.availability import NOT_ALLOCATED


class CategoryName(NamedTuple):
    """The category of a product."""

    id: int
    name: str
    slug: str


class VariantView(NamedTuple):
    """A variant: `available` is the number of units that can be sold now, `price` in minor units."""

    id: int
    sku: str
    options: dict[str, str]
    price: int
    available: int
    is_active: bool
    weight: int = 0
    """In grams."""


@dataclass(frozen=True)
class ProductView:
    """A product with its category and its variants; prices in minor units."""

    id: int
    name: str
    slug: str
    description: str
    price: int
    """The lowest price of what is in stock; of all, where nothing is."""
    compare_at_price: int | None
    options: list[Option]
    images: list[StoredImage]
    is_active: bool
    version: int
    created_at: datetime
    updated_at: datetime
    name_key: str
    category: CategoryName | None
    variants: Sequence[VariantView]
    tax_class: str = STANDARD
    requires_shipping: bool = True

    @property
    def active_variants(self) -> list[VariantView]:
        """The variants that are on sale."""
        return [variant for variant in self.variants if variant.is_active]

    @property
    def lowest_price(self) -> int:
        """The lowest price of an active variant, in stock or not."""
        return min(variant.price for variant in self.active_variants or self.variants)

    @property
    def stock(self) -> int:
        """The units of all active variants that can be sold now."""
        return sum(variant.available for variant in self.active_variants)


_PRODUCT = (
    select(
        Product.id, Product.name, Product.slug, Product.description, Product.price,
        Product.compare_at_price, Product.options, Product.images, Product.is_active,
        Product.version, Product.created_at, Product.updated_at, Product.name_key,
        Product.tax_class, Product.requires_shipping,
        Category.id.label("category_id"), Category.name.label("category_name"),
        Category.slug.label("category_slug"),
    )
    .select_from(Product)
    .outerjoin(Category, Category.id == Product.category_id)
)  # fmt: skip
_VARIANT = (
    Variant.id.label("variant_id"), Variant.sku, Variant.options.label("variant_options"),
    Variant.price.label("variant_price"), NOT_ALLOCATED.label("available"),
    Variant.is_active.label("variant_is_active"), Variant.weight,
)  # fmt: skip
_VARIANT_ORDER = (Variant.position, Variant.id)
_PRODUCT_AND_VARIANTS = (
    _PRODUCT.add_columns(*_VARIANT)
    .join(Variant, Variant.product_id == Product.id)
    .order_by(*_VARIANT_ORDER)
)
_VARIANTS = (
    select(Variant.product_id, *_VARIANT)
    .where(Variant.product_id.in_(bindparam("ids", expanding=True)))
    .order_by(*_VARIANT_ORDER)
)


def product_statement(*conditions: ColumnElement[bool]) -> Executable:
    """A statement for `fetch_product`; at most one product may meet the conditions."""
    return prepared(_PRODUCT_AND_VARIANTS.where(*conditions))


def fetch_product(statement: Executable, **values: object) -> ProductView | None:
    """The product of a `product_statement`."""
    rows = run(statement, values).all()
    variants = [VariantView(*row[-len(_VARIANT) :]) for row in rows]
    return _view(rows[0], variants) if rows else None


def list_statement(ids: Subquery, order: Order, total: ColumnElement[int]) -> Executable:
    """A statement for `fetch_products`: the products with these ids in this order, with `total`."""
    statement = _PRODUCT.add_columns(total.label("total")).join(ids, ids.c.id == Product.id)
    return statement.order_by(*order)


def fetch_products(
    statement: Executable, values: Mapping[str, object]
) -> tuple[list[ProductView], int | None]:
    """The products of a `list_statement` and their total, which is None if there are no products."""
    rows = run(statement, values).all()
    variants = by_owner(_VARIANTS, [row.id for row in rows], VariantView) if rows else {}
    products = [_view(row, variants[row.id]) for row in rows]
    return products, rows[0].total if rows else None


def _view(row: Row[Any], variants: Sequence[VariantView]) -> ProductView:
    category = None
    if row.category_id is not None:
        category = CategoryName(row.category_id, row.category_name, row.category_slug)
    return ProductView(
        row.id, row.name, row.slug, row.description, row.price, row.compare_at_price, row.options,
        row.images, row.is_active, row.version, row.created_at, row.updated_at, row.name_key,
        category, variants, row.tax_class, row.requires_shipping,
    )  # fmt: skip

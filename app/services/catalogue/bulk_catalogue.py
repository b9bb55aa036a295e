"""Inserts and updates of thousands of products: in bulk statements, with stock movements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.db.bulk import insert_rows, reserve_ids, update_rows
from app.domain.catalogue.listing import Offer, listing_columns
from app.domain.catalogue.product_input import Option
from app.domain.catalogue.variant_rules import options_key
from app.domain.pricing.model import STANDARD
from app.models import Product, StockMovement, Variant


@dataclass
class NewVariant:
    """A variant to be added: price in minor units, stock in units on hand, weight in grams."""

    sku: str
    price: int
    stock: int = 0
    options: dict[str, str] = field(default_factory=dict)
    weight: int = 0


@dataclass
class NewProduct:
    """A product to be added; its slug and its SKUs are free."""

    name: str
    slug: str
    variants: list[NewVariant]
    created_at: datetime
    description: str = ""
    category_id: int | None = None
    compare_at_price: int | None = None
    options: list[Option] = field(default_factory=list)
    tax_class: str = STANDARD
    requires_shipping: bool = True


@dataclass(frozen=True)
class VariantChange:
    """A variant's new price, stock and weight, and by how much the stock changes."""

    variant_id: int
    price: int
    on_hand: int
    weight: int
    delta: int


_PRODUCT = (
    "id", "name", "slug", "description", "category_id", "compare_at_price", "options",
    "is_active", "version", "created_at", "updated_at", "tax_class", "requires_shipping",
    "price", "name_key", "search_title", "search_body",
)  # fmt: skip
_VARIANT = (
    "id", "product_id", "sku", "options", "options_key", "price", "on_hand", "allocated",
    "is_active", "position", "created_at", "weight",
)  # fmt: skip
_MOVEMENT = ("variant_id", "on_hand_delta", "allocated_delta", "reason", "at")


def add_products(products: Sequence[NewProduct], reason: str) -> None:
    """Insert products with their variants, and their stock as movements for `reason`."""
    product_ids = reserve_ids(Product, len(products))
    variants = [
        (product_id, position, variant, product.created_at)
        for product_id, product in zip(product_ids, products, strict=True)
        for position, variant in enumerate(product.variants)
    ]
    variant_ids = reserve_ids(Variant, len(variants))
    insert_rows(Product, _PRODUCT, map(_product_row, product_ids, products))
    rows = [_variant_row(id_, *variant) for id_, variant in zip(variant_ids, variants, strict=True)]
    insert_rows(Variant, _VARIANT, rows)
    movements = [
        (id_, variant.stock, 0, reason, at)
        for id_, (_product, _position, variant, at) in zip(variant_ids, variants, strict=True)
        if variant.stock
    ]
    insert_rows(StockMovement, _MOVEMENT, movements)


def change_variants(changes: Sequence[VariantChange], reason: str, at: datetime) -> None:
    """Set price, stock and weight of variants that the caller has locked, and write the ledger."""
    rows = [(row.variant_id, row.price, row.on_hand, row.weight) for row in changes]
    update_rows(Variant, ("price", "on_hand", "weight"), rows)
    movements = [
        (change.variant_id, change.delta, 0, reason, at) for change in changes if change.delta
    ]
    insert_rows(StockMovement, _MOVEMENT, movements)


def _product_row(product_id: int, product: NewProduct) -> tuple[object, ...]:
    offers = [
        Offer(variant.sku, variant.price, available=variant.stock) for variant in product.variants
    ]
    return (
        product_id, product.name, product.slug, product.description, product.category_id,
        product.compare_at_price, product.options, True, 1, product.created_at, product.created_at,
        product.tax_class, product.requires_shipping,
        *listing_columns(product.name, product.description, offers),
    )  # fmt: skip


def _variant_row(
    variant_id: int, product_id: int, position: int, variant: NewVariant, at: datetime
) -> tuple[object, ...]:
    return (
        variant_id, product_id, variant.sku, variant.options, options_key(variant.options),
        variant.price, variant.stock, 0, True, position, at, variant.weight,
    )  # fmt: skip

"""What a buyer can purchase now: one definition, for loaded rows in Python and for queries in SQL.

Both forms stand side by side and say the same (`tests/integration/inventory/test_availability.py`).
Queries that use the SQL forms of products and variants select from both tables.
"""

from sqlalchemy import and_, case

from app.models.catalogue import Product, Variant


def is_purchasable(variant: Variant, product: Product) -> bool:
    """Whether the variant can be bought at all: neither it nor its product is inactive or deleted."""
    return (
        variant.is_active
        and variant.deleted_at is None
        and product.is_active
        and product.deleted_at is None
    )


VARIANT_IS_ACTIVE = and_(Variant.is_active, Variant.deleted_at.is_(None))
"""The part of `is_purchasable` that the variant's own row decides."""
IS_PURCHASABLE = and_(VARIANT_IS_ACTIVE, Product.is_active, Product.deleted_at.is_(None))
"""`is_purchasable` in SQL."""


def available_quantity(variant: Variant, product: Product) -> int:
    """Units that a buyer can have now: on hand less allocated, 0 where it cannot be bought."""
    return variant.available if is_purchasable(variant, product) else 0


NOT_ALLOCATED = Variant.on_hand - Variant.allocated
"""`Variant.available` in SQL."""
IS_IN_STOCK = Variant.on_hand > Variant.allocated
"""Whether NOT_ALLOCATED is above 0."""
AVAILABLE_QUANTITY = case((IS_PURCHASABLE, NOT_ALLOCATED), else_=0)
"""`available_quantity` in SQL."""

"""The products that staff name in promotions, by their SKUs or by the names in their addresses."""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select

from app.errors import Invalid
from app.extensions import db
from app.models import Product, Variant


def product_ids(references: Sequence[str], field: str) -> list[int]:
    """The ids of products, each named by one of its SKUs or by its slug.

    Raises:
        Invalid: on `field`: one of them names no product.
    """
    if not references:
        return []
    ids = {**_by_slug(references), **_by_sku(references)}
    for reference in references:
        if reference not in ids:
            raise Invalid(
                {field: [f"There is no product with the SKU or the address {reference}."]}
            )
    return sorted({ids[reference] for reference in references})


def slugs_of(ids: Collection[int]) -> list[str]:
    """The slugs of these products, sorted."""
    query = select(Product.slug).where(Product.id.in_(ids), Product.deleted_at.is_(None))
    return sorted(db.session.scalars(query))


def _by_slug(references: Collection[str]) -> Mapping[str, int]:
    query = select(Product.slug, Product.id)
    rows = db.session.execute(
        query.where(Product.slug.in_(references), Product.deleted_at.is_(None))
    )
    return dict(rows.all())


def _by_sku(references: Collection[str]) -> Mapping[str, int]:
    query = select(Variant.sku, Variant.product_id)
    rows = db.session.execute(
        query.where(Variant.sku.in_(references), Variant.deleted_at.is_(None))
    )
    return dict(rows.all())

"""The variants that SKUs belong to. A variant that is taken off sale keeps its SKU."""

from typing import Any

from sqlalchemy import ColumnElement, collate, func, literal_column, select

from app.db.postgresql import is_postgresql
from app.domain.catalogue.search_terms import LAST_LETTER
from app.errors import Conflict
from app.extensions import db
from app.models import Product, Variant
from app.services.catalogue import product_search
from app.services.catalogue.product_search import Search

MAX_FOUND = 100
"""How many products a search shows by the SKUs of their inactive variants."""
# Written as in the partial index: SQLite does not use it for "is_active = 0".
_IS_INACTIVE: ColumnElement[bool] = literal_column(
    "(variants.deleted_at IS NULL AND NOT variants.is_active)"
)


def sku_taken(sku: str) -> Conflict:
    """The refusal of a SKU that another variant has: it names the variant and its product."""
    query = (
        select(
            Variant.id.label("variant_id"), Variant.product_id, Variant.sku,
            Product.name, Product.slug, (Variant.is_active & Product.is_active).label("is_active"),
        )
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.sku == sku, Variant.deleted_at.is_(None))
    )  # fmt: skip
    holder = db.session.execute(query).first()
    detail = f"The SKU {sku} is taken."
    if holder is None:
        return Conflict("sku_taken", detail, sku=sku)
    return Conflict(
        "sku_taken", f"{detail} {_belongs(holder)}", sku=sku, conflict={**holder._mapping}
    )


def _belongs(holder: Any) -> str:
    product = f"{holder.name} (product {holder.product_id})"
    if holder.is_active:
        return f"It belongs to {product}."
    return f"It belongs to a variant of {product} that is off sale."


def with_inactive_skus(search: Search, q: str) -> Search:
    """The same search, which also finds products by SKUs of inactive variants that begin with `q`,
    in whatever case. These products come first."""
    ids = _products_with_inactive(q.strip().lower())
    if not ids:
        return search
    match = product_search.or_these(search.match, Product.id.in_(ids))
    return Search(match, search.parameters)


def _products_with_inactive(beginning: str) -> list[int]:
    query = (
        select(Variant.product_id)
        .where(_IS_INACTIVE, _key() >= beginning, _key() < beginning + LAST_LETTER)
        .distinct()
        .limit(MAX_FOUND)
    )
    return sorted(db.session.scalars(query))


def _key() -> ColumnElement[str]:
    """The SKU in lower case and in the order of bytes, written as in its index."""
    return (
        collate(func.lower(Variant.sku), "C") if is_postgresql() else collate(Variant.sku, "NOCASE")
    )

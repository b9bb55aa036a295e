"""The variants that an import is about to change, and how a row of its file changes one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import select

from app.db.bulk import among
from app.domain.catalogue.category_path import Path, write_path
from app.domain.catalogue.csv_rows import ImportRow
from app.domain.catalogue.listing import Offer
from app.domain.pricing.model import STANDARD
from app.extensions import db
from app.models import Product, Variant
from app.services.catalogue.category_paths import AmbiguousCategory, CategoryPaths
from app.services.catalogue.search_keys import offers_of


class ProductValues(NamedTuple):
    """The fields of a product that a row can change."""

    name: str
    description: str = ""
    category_id: int | None = None
    compare_at_price: int | None = None
    tax_class: str = STANDARD
    requires_shipping: bool = True


class VariantValues(NamedTuple):
    """The fields of a variant and its product that a row can change, to tell whether it did."""

    price: int
    on_hand: int
    weight: int
    product: ProductValues


class RowRefused(ValueError):
    """A row that does not go with what the shop has; the message says why."""


@dataclass
class ProductState:
    """A product; `id` is None while it is new."""

    id: int | None
    values: ProductValues
    version: int = 0
    has_one_variant: bool = True


@dataclass
class VariantState:
    """A variant with its product; `id` is None while it is new."""

    id: int | None
    sku: str
    price: int
    on_hand: int
    allocated: int
    product: ProductState
    is_active: bool = True
    weight: int = 0

    @property
    def values(self) -> VariantValues:
        return VariantValues(self.price, self.on_hand, self.weight, self.product.values)

    def audit_state(self, values: VariantValues) -> dict[str, object]:
        """These values of the variant under the names that the audit trail has for them."""
        return {
            f"variants.{self.id}.price": values.price,
            f"variants.{self.id}.on_hand": values.on_hand,
            f"variants.{self.id}.weight": values.weight,
            **values.product._asdict(),
        }


def by_column(values: VariantValues, tree: CategoryPaths) -> dict[str, object]:
    """The values by the columns of a product list; prices in minor units."""
    product = values.product
    return {
        "name": product.name,
        "price": values.price,
        "stock": values.on_hand,
        "weight": values.weight,
        "category": write_path(tree.path_of.get(product.category_id or 0, ())),
        "compare_at_price": product.compare_at_price,
        "description": product.description,
        "tax_class": product.tax_class,
        "requires_shipping": product.requires_shipping,
    }


def apply_row(row: ImportRow, variant: VariantState, tree: CategoryPaths) -> Collection[str]:
    """Change a variant as a row says.

    If its product has several variants, or the variant is inactive, only its price, stock and weight
    change, since the other columns belong to the product. Returns the other columns whose values
    in the row differ; they are ignored.

    Raises:
        RowRefused: on hand would fall below what orders were promised, or the category is ambiguous;
            nothing has changed.
    """
    on_hand = row.optional.get("stock", variant.on_hand)
    if on_hand < variant.allocated:
        raise RowRefused(f"stock: {variant.allocated} are promised to orders.")
    product = variant.product
    weight = row.optional.get("weight", variant.weight)
    if not (product.has_one_variant and variant.is_active):
        variant.on_hand, variant.price, variant.weight = on_hand, row.price, weight
        return _ignored_columns(row, product.values, tree)
    values, category_id = product.values, product.values.category_id
    if "category" in row.optional:
        category_id = _category(row.optional["category"], category_id, tree)
    variant.on_hand, variant.price, variant.weight = on_hand, row.price, weight
    product.values = ProductValues(
        row.name,
        row.optional.get("description", values.description),
        category_id,
        row.optional.get("compare_at_price", values.compare_at_price),
        row.optional.get("tax_class", values.tax_class),
        row.optional.get("requires_shipping", values.requires_shipping),
    )
    return ()


def _category(path: Path, current: int | None, tree: CategoryPaths) -> int | None:
    try:
        return tree.find_or_plan(path, current)
    except AmbiguousCategory as error:
        raise RowRefused(f"category: {error}.") from None


def _ignored_columns(row: ImportRow, values: ProductValues, tree: CategoryPaths) -> list[str]:
    optional = row.optional
    differs = {
        "description": optional.get("description", values.description) != values.description,
        "compare_at_price": optional.get("compare_at_price", values.compare_at_price)
        != values.compare_at_price,
        "tax_class": optional.get("tax_class", values.tax_class) != values.tax_class,
        "requires_shipping": optional.get("requires_shipping", values.requires_shipping)
        != values.requires_shipping,
        "name": row.name != values.name,
    }
    if "category" in optional:
        path = optional["category"]
        differs["category"] = values.category_id not in (tree.matches(path) if path else [None])
    return [column for column, is_different in differs.items() if is_different]


def new_variant(row: ImportRow) -> VariantState:
    """A simple product for a SKU that the shop does not have, before `apply_row`."""
    return VariantState(None, row.sku, row.price, 0, 0, ProductState(None, ProductValues(row.name)))


def load(skus: Sequence[str], lock: bool) -> dict[str, VariantState]:
    """The variants that the shop has under these SKUs; with `lock`, locked until the commit.

    Products are locked before variants, each by their ids. Four statements at most.
    """
    query = select(
        Variant.id, Variant.product_id, Variant.sku, Variant.price, Variant.on_hand,
        Variant.allocated, Variant.is_active, Variant.weight,
    ).where(among(Variant.sku, skus), Variant.deleted_at.is_(None)).order_by(Variant.id)  # fmt: skip
    if lock:
        _lock_products(skus)
        query = query.with_for_update(key_share=True)
    rows = db.session.execute(query).all()
    products = _load_products({row.product_id for row in rows})
    return {
        row.sku: VariantState(
            row.id, row.sku, row.price, row.on_hand, row.allocated, products[row.product_id],
            row.is_active, row.weight,
        )
        for row in rows
    }  # fmt: skip


def _lock_products(skus: Sequence[str]) -> None:
    ids = select(Variant.product_id).where(among(Variant.sku, skus), Variant.deleted_at.is_(None))
    db.session.execute(
        select(Product.id)
        .where(Product.id.in_(ids))
        .order_by(Product.id)
        .with_for_update(key_share=True)
    )


def _load_products(ids: set[int]) -> dict[int, ProductState]:
    offers = offers_of(ids)
    query = select(
        Product.id, Product.version, Product.name, Product.description, Product.category_id,
        Product.compare_at_price, Product.tax_class, Product.requires_shipping,
    ).where(among(Product.id, ids))  # fmt: skip
    return {
        id_: ProductState(id_, ProductValues._make(values), version, _has_one(offers[id_]))
        for id_, version, *values in db.session.execute(query)
    }


def _has_one(offers: Sequence[Offer]) -> bool:
    return len([offer for offer in offers if offer.is_active] or offers) == 1

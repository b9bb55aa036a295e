"""What an import knows of the articles that it is about to change, and how a row changes them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import select

from app.db.bulk import among
from app.domain.catalogue.category_path import write_path
from app.domain.catalogue.csv_rows import ImportRow
from app.domain.catalogue.listing import Offer
from app.extensions import db
from app.models import Product, Variant
from app.services.catalogue.category_paths import CategoryPaths

SHEET_NAMES = ("name", "description", "category_id", "compare_at_price")
SheetFacts = tuple[str, str, int | None, int | None]
"""What an edit of a product changes: name, description, category_id, compare_at_price."""


class Facts(NamedTuple):
    """What rows can change of an article, to tell whether they did."""

    price: int
    on_hand: int
    sheet: SheetFacts


class RowRefused(ValueError):
    """A row that does not go with what the shop has; the message says why."""


@dataclass
class Sheet:
    """A product; `id` is None while it is new, `single` unless it has several variants."""

    id: int | None
    name: str
    description: str = ""
    category_id: int | None = None
    compare_at_price: int | None = None
    version: int = 0
    single: bool = True

    @property
    def facts(self) -> SheetFacts:
        return self.name, self.description, self.category_id, self.compare_at_price


@dataclass
class Article:
    """A variant with its product; `id` is None while it is new."""

    id: int | None
    sku: str
    price: int
    on_hand: int
    allocated: int
    sheet: Sheet
    is_active: bool = True

    @property
    def facts(self) -> Facts:
        return Facts(self.price, self.on_hand, self.sheet.facts)

    def state_of(self, facts: Facts) -> dict[str, Any]:
        """What the audit trail tells of this article when these were its facts."""
        return {
            f"variants.{self.id}.price": facts.price,
            f"variants.{self.id}.on_hand": facts.on_hand,
            **dict(zip(SHEET_NAMES, facts.sheet, strict=True)),
        }


def told(facts: Facts, tree: CategoryPaths) -> dict[str, Any]:
    """The facts of an article by the columns of a list; prices in minor units."""
    name, description, category_id, compare_at_price = facts.sheet
    return {
        "name": name,
        "price": facts.price,
        "stock": facts.on_hand,
        "category": write_path(tree.written.get(category_id or 0, ())),
        "compare_at_price": compare_at_price,
        "description": description,
    }


def apply(row: ImportRow, article: Article, tree: CategoryPaths) -> Collection[str]:
    """Change an article as a row says. Of a product with several variants, or of one that is
    switched off, a row changes just the variant's price and stock: the rest is not this variant's
    alone. Returns the columns that therefore stay, though the row says otherwise.

    Raises:
        RowRefused: on hand would fall below what orders were promised; nothing has changed.
    """
    on_hand = row.given.get("stock", article.on_hand)
    if on_hand < article.allocated:
        raise RowRefused(f"stock: {article.allocated} are promised to orders.")
    article.on_hand, article.price = on_hand, row.price
    sheet = article.sheet
    if not (sheet.single and article.is_active):
        return _staying(row, sheet, tree)
    sheet.name = row.name
    sheet.description = row.given.get("description", sheet.description)
    sheet.compare_at_price = row.given.get("compare_at_price", sheet.compare_at_price)
    if "category" in row.given:
        sheet.category_id = tree.find_or_plan(row.given["category"], sheet.category_id)
    return ()


def _staying(row: ImportRow, sheet: Sheet, tree: CategoryPaths) -> list[str]:
    stays = {
        name: row.given.get(name, getattr(sheet, name)) != getattr(sheet, name)
        for name in ("description", "compare_at_price")
    }
    stays["name"] = row.name != sheet.name
    if "category" in row.given:
        wanted = row.given["category"]
        stays["category"] = sheet.category_id not in (tree.fitting(wanted) if wanted else [None])
    return [name for name, differs in stays.items() if differs]


def new_article(row: ImportRow) -> Article:
    """A simple product for a SKU that the shop does not have, before `apply`."""
    return Article(None, row.sku, row.price, 0, 0, Sheet(None, row.name))


def load(skus: Sequence[str], lock: bool) -> dict[str, Article]:
    """The articles that the shop has under these SKUs; with `lock`, held until the commit.

    Three statements at most, however many SKUs there are.
    """
    query = select(
        Variant.id, Variant.product_id, Variant.sku, Variant.price, Variant.on_hand,
        Variant.allocated, Variant.is_active,
    ).where(among(Variant.sku, skus), Variant.deleted_at.is_(None)).order_by(Variant.id)  # fmt: skip
    if lock:
        _lock_products(skus)
        query = query.with_for_update(key_share=True)
    rows = db.session.execute(query).all()
    sheets = _load_sheets({row.product_id for row in rows})
    return {
        row.sku: Article(
            row.id,
            row.sku,
            row.price,
            row.on_hand,
            row.allocated,
            sheets[row.product_id],
            row.is_active,
        )
        for row in rows
    }


def _lock_products(skus: Sequence[str]) -> None:
    mine = select(Variant.product_id).where(among(Variant.sku, skus), Variant.deleted_at.is_(None))
    db.session.execute(
        select(Product.id)
        .where(Product.id.in_(mine))
        .order_by(Product.id)
        .with_for_update(key_share=True)
    )


def _load_sheets(product_ids: set[int]) -> dict[int, Sheet]:
    offers = offers_of(product_ids)
    query = select(
        Product.id, Product.name, Product.description, Product.category_id,
        Product.compare_at_price, Product.version,
    ).where(among(Product.id, product_ids))  # fmt: skip
    return {
        row.id: Sheet(*row, single=_has_one(offers[row.id]))  # in Sheet's own order
        for row in db.session.execute(query)
    }


def _has_one(offers: Sequence[Offer]) -> bool:
    return len([offer for offer in offers if offer.is_active] or offers) == 1


def offers_of(product_ids: set[int]) -> dict[int, list[Offer]]:
    """All variants of some products, as far as lists are concerned."""
    found: dict[int, list[Offer]] = {product_id: [] for product_id in product_ids}
    query = select(Variant.product_id, Variant.sku, Variant.price, Variant.is_active).where(
        among(Variant.product_id, product_ids), Variant.deleted_at.is_(None)
    )
    for row in db.session.execute(query.order_by(Variant.position, Variant.id)):
        found[row.product_id].append(Offer(row.sku, row.price, row.is_active))
    return found

"""The catalogue as rows of a product list, the same that an import takes in."""

from collections.abc import Iterator

from sqlalchemy import select

from app.domain.catalogue.category_path import write_path
from app.domain.money import to_text
from app.extensions import db
from app.models import Category, Product, Variant
from app.services.catalogue.category_paths import paths

AT_ONCE = 2000


def product_rows(currency: str, inactive: bool = False) -> Iterator[tuple[str, ...]]:
    """One row a variant in the order of their ids, cells in the order of `csv_rows.COLUMNS`.

    Read a few thousand at a time, so that a catalogue of any size fits. What is inactive is left
    out unless asked for, since a list cannot say that it is.
    """
    query = (
        select(
            Variant.sku, Product.name, Variant.price, Variant.on_hand, Product.description,
            Product.category_id, Product.compare_at_price,
        )
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.deleted_at.is_(None), Product.deleted_at.is_(None))
        .order_by(Variant.id)
        .execution_options(yield_per=AT_ONCE)
    )  # fmt: skip
    if not inactive:
        query = query.where(Variant.is_active, Product.is_active)
    categories = _category_paths()
    for sku, name, price, on_hand, description, category_id, compare_at in db.session.execute(
        query
    ):
        yield (
            sku,
            name,
            to_text(price, currency),
            str(on_hand),
            description,
            categories.get(category_id or 0, ""),
            "" if compare_at is None else to_text(compare_at, currency),
            currency,
        )


def _category_paths() -> dict[int, str]:
    rows = db.session.execute(select(Category.id, Category.name, Category.parent_id))
    names = {row.id: (row.name, row.parent_id) for row in rows}
    return {category_id: write_path(path) for category_id, path in paths(names).items()}

"""The catalogue as rows of a product list, in the format that imports read."""

from collections.abc import Iterator

from sqlalchemy import select

from app.domain.catalogue.category_path import write_path
from app.domain.catalogue.csv_cells import escape
from app.domain.catalogue.csv_rows import is_shortened
from app.domain.money import to_text
from app.extensions import db
from app.models import Product, Variant
from app.models.availability import IS_PURCHASABLE
from app.services.catalogue.category_paths import load_paths

AT_ONCE = 2000


def product_rows(currency: str, inactive: bool = False) -> Iterator[tuple[str, ...]]:
    """One row for each variant in the order of ids, its cells in the order of `csv_rows.COLUMNS`.

    Rows are fetched AT_ONCE at a time, so that a catalogue of any size fits into memory. Inactive
    variants are left out by default, since a list cannot say that they are inactive.
    """
    query = (
        select(
            Variant.sku, Product.name, Variant.price, Variant.on_hand, Product.description,
            Product.category_id, Product.compare_at_price, Product.tax_class, Variant.weight,
            Product.requires_shipping,
        )
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.deleted_at.is_(None), Product.deleted_at.is_(None))
        .order_by(Variant.id)
        .execution_options(yield_per=AT_ONCE)
    )  # fmt: skip
    if not inactive:
        query = query.where(IS_PURCHASABLE)
    paths = {id_: write_path(path) for id_, path in load_paths().items()}
    for row in db.session.execute(query):
        sku, name, price, on_hand, description, category_id, compare_at, *more = row
        tax_class, weight, requires_shipping = more
        was = "" if compare_at is None else to_text(compare_at, currency)
        path = paths.get(category_id or 0, "")
        # The import takes one apostrophe away, by which people mean text. `CsvWriter` adds it to formulas.
        is_mistaken = sku.startswith("'") or is_shortened(sku)
        sku = f"'{sku}" if is_mistaken and escape(sku) == sku else sku
        yield (
            sku, name, to_text(price, currency), str(on_hand), description, path, was, currency,
            tax_class, str(weight), "true" if requires_shipping else "false",
        )  # fmt: skip

"""Renewal of the columns by which lists search, sort and filter, where another release wrote them.

Each row says by its mark whether its columns are up to date (`domain.catalogue.listing`), and a partial
index holds those that are not. So the renewal can stop at any moment and go on later, and it also
renews what a server of the release before writes in between.
"""

from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, func, literal_column, select

from app.db.bulk import among, update_rows
from app.domain.catalogue.listing import ListingColumns, Offer, listing_columns
from app.extensions import db
from app.models import Product, Variant
from app.models.availability import NOT_ALLOCATED
from app.models.catalogue import OUTDATED_SEARCH_KEYS

BATCH = 500
"""Products in one transaction."""
_IS_OUTDATED: ColumnElement[bool] = literal_column(OUTDATED_SEARCH_KEYS)
_COLUMNS = (*ListingColumns._fields, "updated_at")


def count_outdated(limit: int | None = None) -> int:
    """How many products have columns of another version, counted up to `limit`."""
    outdated = select(Product.id).where(_IS_OUTDATED).limit(limit).subquery()
    return db.session.scalar(select(func.count()).select_from(outdated)) or 0


def renew_batch(after: int) -> Sequence[int]:
    """Renew the columns of up to BATCH outdated products with ids above `after`; returns their ids.

    Products that somebody edits at the moment are skipped. The others are locked before their names
    are read, so that no edit is overwritten. Neither `version` nor `updated_at` changes, since
    products look as before.
    """
    query = select(Product.id, Product.name, Product.description, Product.price, Product.updated_at)
    rows = db.session.execute(
        query.where(_IS_OUTDATED, Product.id > after)
        .order_by(Product.id)
        .limit(BATCH)
        .with_for_update(key_share=True, skip_locked=True)
    ).all()
    ids = [row.id for row in rows]
    offers = offers_of(ids)
    new_rows = []
    for row in rows:
        columns = listing_columns(row.name, row.description, offers[row.id])
        if not offers[row.id]:  # deleted
            columns = columns._replace(price=row.price)
        new_rows.append((row.id, *columns, row.updated_at))
    update_rows(Product, _COLUMNS, new_rows)
    return ids


def offers_of(product_ids: Collection[int]) -> dict[int, list[Offer]]:
    """The variants of some products, in their order, as `listing_columns` takes them."""
    offers: dict[int, list[Offer]] = {product_id: [] for product_id in product_ids}
    query = select(Variant.product_id, Variant.sku, Variant.price, Variant.is_active, NOT_ALLOCATED)
    rows = db.session.execute(
        query.where(among(Variant.product_id, product_ids), Variant.deleted_at.is_(None)).order_by(
            Variant.position, Variant.id
        )
    )
    for product_id, *offer in rows:
        offers[product_id].append(Offer._make(offer))
    return offers

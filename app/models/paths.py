"""Looks up a category or a product by the id or the slug in a path."""

from sqlalchemy import ColumnElement, false

from app.domain.text import id_or_slug
from app.models.catalogue import Category, Product

Slugged = type[Category] | type[Product]


def at_address(table: Slugged, address: str) -> ColumnElement[bool]:
    """The condition for the row with this id or slug."""
    key = id_or_slug(address)
    if key is None:
        return false()
    return table.id == key if isinstance(key, int) else table.slug == key

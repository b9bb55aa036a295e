"""What stands for a category or a product in a path: its id, or its slug."""

from sqlalchemy import ColumnElement, false

from app.domain.address import id_or_slug
from app.models.catalogue import Category, Product

Named = type[Category] | type[Product]


def at_address(table: Named, address: str) -> ColumnElement[bool]:
    """The condition for an id or a slug from a path."""
    parsed = id_or_slug(address)
    if parsed is None:
        return false()
    return table.id == parsed if isinstance(parsed, int) else table.slug == parsed

"""Slugs of categories and products: chosen by staff, or made from the name."""

from sqlalchemy import select

from app.domain.text import make_slug, with_suffix
from app.errors import Conflict
from app.extensions import db
from app.models import Category, Product
from app.models.paths import Slugged


def choose_slug(table: Slugged, request: str | None, name: str, own_id: int = 0) -> str:
    """A free slug for a row: the requested one, or one made from its name, with a suffix if it is
    taken. `own_id` is the row that has the slug already."""
    slug = make_slug(name, table.__name__.lower()) if request is None else request
    return with_suffix(slug) if _is_taken(table, slug, own_id) else slug


def refuse_other_slug(row: Category | Product, request: str | None) -> None:
    """Refuse the slug that `choose_slug` gave a row if it is not the requested one.

    Called after all other checks: errors (422) are reported before conflicts (409).

    Raises:
        Conflict: `slug_taken`, where the requested slug belongs to another row.
    """
    if request is not None and row.slug != request:
        raise Conflict("slug_taken", f"The slug {request} is taken.")


def _is_taken(table: Slugged, slug: str, own_id: int) -> bool:
    query = select(table.id).where(table.slug == slug, table.id != own_id)
    if issubclass(table, Product):
        query = query.where(table.deleted_at.is_(None))
    return db.session.scalar(query.limit(1)) is not None

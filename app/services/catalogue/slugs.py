"""Slugs of categories and products, which staff choose or the shop makes of a name."""

from sqlalchemy import select

from app.domain.text import make_slug, with_suffix
from app.errors import Conflict
from app.extensions import db
from app.models import Category, Product
from app.models.paths import Slugged


def choose_slug(table: Slugged, wanted: str | None, name: str, own_id: int = 0) -> str:
    """A free slug for a row: the one that staff want, or one made of its name; with a suffix where
    that is taken."""
    slug = make_slug(name, table.__name__.lower()) if wanted is None else wanted
    return with_suffix(slug) if _is_taken(table, slug, own_id) else slug


def refuse_other_slug(row: Category | Product, wanted: str | None) -> None:
    """Keep to the slug that staff want, when a row has one by `choose_slug`.

    Called when all else is checked: what is wrong with a request is told before what is in its way.

    Raises:
        Conflict: `slug_taken`, where the wanted one belongs to another row.
    """
    if wanted is not None and row.slug != wanted:
        raise Conflict("slug_taken", f"The slug {wanted} is taken.")


def _is_taken(table: Slugged, slug: str, own_id: int) -> bool:
    query = select(table.id).where(table.slug == slug, table.id != own_id)
    if issubclass(table, Product):
        query = query.where(table.deleted_at.is_(None))
    return db.session.scalar(query.limit(1)) is not None

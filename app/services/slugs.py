"""Names for paths: what staff ask for is taken as it is or refused; ours get a suffix."""

from sqlalchemy import select

from app.domain.text import make_slug, with_suffix
from app.errors import Conflict
from app.extensions import db
from app.models import Category, Product


def choose_slug(
    table: type[Category] | type[Product], wanted: str | None, name: str, own_id: int = 0
) -> str:
    """The slug that staff want for a row, or one made of its name.

    Raises:
        Conflict: `slug_taken`, where the wanted one belongs to another row.
    """
    if wanted is None:
        made = make_slug(name, table.__name__.lower())
        return with_suffix(made) if _is_taken(table, made, own_id) else made
    if _is_taken(table, wanted, own_id):
        raise Conflict("slug_taken", f"The slug {wanted} is taken.")
    return wanted


def _is_taken(table: type[Category] | type[Product], slug: str, own_id: int) -> bool:
    query = select(table.id).where(table.slug == slug, table.id != own_id)
    if issubclass(table, Product):
        query = query.where(table.deleted_at.is_(None))
    return db.session.scalar(query.limit(1)) is not None

"""Slugs of categories and products: chosen by staff, or made from the name."""

from typing import Any

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
        raise _slug_taken(type(row), request)


def _slug_taken(table: Slugged, slug: str) -> Conflict:
    """The refusal of a slug: it names the row that has it."""
    holder = db.session.execute(_holder(table, slug)).first()
    detail, kind = f"The slug {slug} is taken.", table.__name__.lower()
    if holder is None:
        return Conflict("slug_taken", detail)
    conflict = {f"{kind}_id": holder.id, "name": holder.name, "slug": slug}
    detail += f" It belongs to {holder.name} ({kind} {holder.id})"
    if issubclass(table, Product):
        conflict["is_active"] = holder.is_active
        detail += "" if holder.is_active else ", which is off sale"
    return Conflict("slug_taken", f"{detail}.", conflict=conflict)


def _is_taken(table: Slugged, slug: str, own_id: int) -> bool:
    return db.session.scalar(_holder(table, slug).where(table.id != own_id).limit(1)) is not None


def _holder(table: Slugged, slug: str) -> Any:
    query: Any = select(table.id, table.name).where(table.slug == slug)
    if issubclass(table, Product):
        return query.add_columns(table.is_active).where(table.deleted_at.is_(None))
    return query

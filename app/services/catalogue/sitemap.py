"""The addresses of products and categories for search engines, in parts of bounded size.

A part holds the rows with ids in a range of PART. So a part costs the same whatever the size of the shop,
and its address always stands for the same rows.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, func, literal, select, true

from app.extensions import db
from app.models import Category, Product
from app.services.catalogue.product_statements import VISIBLE

PART = 10_000
"""The ids of a part. A sitemap may have 50,000 URLs and 50 MB, an index 50,000 sitemaps (sitemaps.org)."""
MAX_PARTS = 50_000
TABLES: Mapping[str, tuple[Any, tuple[ColumnElement[bool], ...]]] = {
    "products": (Product, VISIBLE[False]),
    "categories": (Category, (true(),)),
}
"""What is listed, by its name in addresses, with the condition that everybody may see it."""


class Entry(NamedTuple):
    """The slug of a product or category, and when it was last changed."""

    slug: str
    updated_at: datetime


def parts(kind: str) -> list[int]:
    """The numbers of the parts that have entries; one statement, which looks at one row of each part."""
    table, conditions = TABLES[kind]
    ids = select(func.min(table.id)).where(*conditions)
    firsts = select(ids.scalar_subquery().label("id"), literal(1).label("count")).cte(
        recursive=True
    )
    start = (firsts.c.id // PART + 1) * PART
    following = ids.where(table.id >= start).correlate(firsts).scalar_subquery()
    firsts = firsts.union_all(
        select(following, firsts.c.count + 1).where(
            firsts.c.id.is_not(None), firsts.c.count < MAX_PARTS
        )
    )
    query = select(firsts.c.id).where(firsts.c.id.is_not(None))
    return [id_ // PART for id_ in db.session.scalars(query)]


def entries(kind: str, part: int) -> list[Entry]:
    """The entries of a part, by id."""
    table, conditions = TABLES[kind]
    is_in_part = table.id >= part * PART, table.id < (part + 1) * PART
    query = select(table.slug, table.updated_at).where(*conditions, *is_in_part).order_by(table.id)
    return [Entry(row.slug, row.updated_at) for row in db.session.execute(query)]

"""Indexes that keep lists and searches of a million rows as quick as those of a thousand.

Those of the catalogue's orders serve staff too, who see what is not on offer, and find a category's
products in their order. Typos are looked for among words now, so trigrams of whole names go.

Revision ID: 0009
Revises: 0008
"""

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
accepted = {"many-rows-at-once": "The words of names are few, and nobody changes one."}

UNDELETED = sa.text("deleted_at IS NULL")
OFFERED = sa.text("deleted_at IS NULL AND is_active")
LISTS = (
    ("created_at", "id", "is_active"),
    ("price", "id", "is_active"),
    ("name_key", "id", "is_active"),
    ("category_id", "created_at", "id", "is_active"),
    ("category_id", "price", "id", "is_active"),
)
BEFORE = (("created_at", "id"), ("price", "id"), ("name_key", "id"))


def upgrade() -> None:
    for columns in LISTS:
        _create(columns, UNDELETED)
    if op.get_context().dialect.name == "postgresql":
        _search_names_and_orders()
        online.drop_index("ix_products_search_title", "products")
        op.execute(
            "INSERT INTO search_words SELECT DISTINCT word"
            " FROM products, unnest(string_to_array(search_title, ' ')) AS word"
            " WHERE word !~ '[0-9]' AND length(word) BETWEEN 3 AND 50"
            " ORDER BY word ON CONFLICT DO NOTHING"
        )
    for columns in BEFORE:
        online.drop_index(_name(columns), "products")


def downgrade() -> None:
    for columns in BEFORE:
        _create(columns, OFFERED)
    if op.get_context().dialect.name == "postgresql":
        online.create_index(
            "ix_products_search_title",
            "products",
            [sa.text("search_title gin_trgm_ops")],
            postgresql_using="gin",
        )
        online.drop_index("ix_orders_search", "orders")
        online.drop_index("ix_products_search_names", "products")
    for columns in LISTS:
        online.drop_index(_name(columns), "products")


def _search_names_and_orders() -> None:
    online.create_index(
        "ix_products_search_names",
        "products",
        [sa.text("to_tsvector('simple', search_title)")],
        postgresql_using="gin",
    )
    # Without a list of what is yet to be sorted in: an order that fills it up would wait for all
    # the others, and each search reads it.
    online.create_index(
        "ix_orders_search",
        "orders",
        [sa.text("number gin_trgm_ops"), sa.text("email gin_trgm_ops")],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
    )


def _create(columns: tuple[str, ...], where: sa.TextClause) -> None:
    name = _name(columns)
    online.create_index(name, "products", list(columns), postgresql_where=where, sqlite_where=where)


def _name(columns: tuple[str, ...]) -> str:
    return f"ix_products_{'_'.join(columns)}"

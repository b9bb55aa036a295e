"""Products whose columns for search another release wrote are found in an index.

`flask renew-search-keys` renews them once all servers run this release; the index is empty then.

Revision ID: 0031
Revises: 0020
"""

import sqlalchemy as sa

from migrations import online

revision = "0031"
down_revision = "0020"
branch_labels = None
depends_on = None

IS_OUTDATED = sa.text("substr(search_title, 1, 2) <> '| '")


def upgrade() -> None:
    online.create_index(
        "ix_products_outdated_search_keys",
        "products",
        ["id"],
        postgresql_where=IS_OUTDATED,
        sqlite_where=IS_OUTDATED,
    )


def downgrade() -> None:
    online.drop_index("ix_products_outdated_search_keys", "products")

"""Staff find the variants that are off sale by the beginning of a SKU, in whatever case.

Revision ID: 0020
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0020"
down_revision = "0014"
branch_labels = None
depends_on = None

IS_INACTIVE = sa.text("deleted_at IS NULL AND NOT is_active")


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    online.create_index(
        "ix_variants_search_inactive",
        "variants",
        [sa.text('(lower(sku) COLLATE "C")' if is_postgresql else "sku COLLATE NOCASE")],
        postgresql_where=IS_INACTIVE,
        sqlite_where=IS_INACTIVE,
    )


def downgrade() -> None:
    online.drop_index("ix_variants_search_inactive", "variants")

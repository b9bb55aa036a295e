"""Pictures of products, on the product's own row as its options are.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    op.add_column("products", sa.Column("images", JSON, server_default="[]", nullable=False))


def downgrade() -> None:
    # Not in a batch, which would make the table anew and lose the triggers of its search.
    op.execute("ALTER TABLE products DROP COLUMN images")

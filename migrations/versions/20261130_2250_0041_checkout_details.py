"""What a buyer has entered to order a cart, between the form and its review.

Revision ID: 0041
Revises: 0032
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0041"
down_revision = "0032"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
NAME = "checkouts"


def upgrade() -> None:
    op.create_table(
        NAME,
        sa.Column("id", ID, nullable=False),
        sa.Column("cart_id", ID, nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("key", sa.String(32), nullable=False),
        sa.Column("details", JSON, nullable=True),
        sa.Column("order_number", sa.String(20), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_checkouts")),
        sa.UniqueConstraint("cart_id", name=op.f("uq_checkouts_cart_id")),
        sa.CheckConstraint(
            "(details IS NULL) != (order_number IS NULL)",
            name=op.f("ck_checkouts_details_until_ordered"),
        ),
        sa.ForeignKeyConstraint(
            ["cart_id"], ["carts.id"], name=op.f("fk_checkouts_cart_id_carts"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f("ix_checkouts_created_at"), NAME, ["created_at"])


def downgrade() -> None:
    op.drop_table(NAME)

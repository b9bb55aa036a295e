"""What a pending guest order is counted by: keyed hashes of its network and email, largest quantity.

Revision ID: 0016
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("orders", sa.Column("guest_network_hash", sa.String(64), nullable=True))
    op.add_column("orders", sa.Column("guest_email_hash", sa.String(64), nullable=True))
    op.add_column("orders", sa.Column("guest_units", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "guest_units")
    op.drop_column("orders", "guest_email_hash")
    op.drop_column("orders", "guest_network_hash")

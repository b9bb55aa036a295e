"""Passwords have versions, and failed sign-ins are counted by the networks that they came from.

Revision ID: 0015
Revises: 0016b
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0016b"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "users", sa.Column("password_version", sa.BigInteger(), server_default="0", nullable=False)
    )
    op.add_column(
        "login_throttles", sa.Column("networks", sa.BigInteger(), server_default="0", nullable=False)
    )


def downgrade() -> None:
    op.drop_column("login_throttles", "networks")
    op.drop_column("users", "password_version")

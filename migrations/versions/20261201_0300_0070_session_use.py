"""When a session was used last, and by which program it was opened.

Revision ID: 0070
Revises: 0050
"""

import sqlalchemy as sa
from alembic import op

revision = "0070"
down_revision = "0050"
branch_labels = None
depends_on = None

NAME = "sessions"


def upgrade() -> None:
    op.add_column(NAME, sa.Column("user_agent", sa.String(200), nullable=True))
    op.add_column(NAME, sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column(NAME, "last_used_at")
    op.drop_column(NAME, "user_agent")

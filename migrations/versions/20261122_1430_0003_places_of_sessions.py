"""From where a session was begun, as a hash: guesses made elsewhere do not lock that place out.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("place", sa.String(32), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "place")

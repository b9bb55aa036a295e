"""The security log: sign-ins, failures and exports, with the client's address.

Revision ID: 0019
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0015"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
NAME = "security_events"


def upgrade() -> None:
    op.create_table(
        NAME,
        sa.Column("id", ID, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(30), nullable=False),
        sa.Column("user_id", sa.BigInteger(), nullable=True),
        sa.Column("address", sa.String(60), nullable=True),
        sa.Column("detail", sa.Text(), server_default="", nullable=False),
        sa.Column("count", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("bucket", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_security_events")),
        sa.UniqueConstraint("bucket", name=op.f("uq_security_events_bucket")),
    )
    op.create_index(op.f("ix_security_events_at"), NAME, ["at"])
    op.create_index("ix_security_events_kind_at", NAME, ["kind", "at"])
    op.create_index("ix_security_events_user_id_id", NAME, ["user_id", "id"])
    op.create_index("ix_security_events_address_id", NAME, ["address", "id"])


def downgrade() -> None:
    op.drop_table(NAME)

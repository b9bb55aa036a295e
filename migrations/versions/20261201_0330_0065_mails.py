"""Mails, and the links of guests' orders in them.

Revision ID: 0065
Revises: 0051
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0065"
down_revision = "0051"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NAME = "mails"


def upgrade() -> None:
    op.create_table(
        NAME,
        sa.Column("id", ID, nullable=False),
        sa.Column("template", sa.String(40), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("recipient_key", sa.String(254), nullable=False),
        sa.Column("context", JSON, server_default="{}", nullable=False),
        sa.Column("status", sa.String(10), server_default="waiting", nullable=False),
        sa.Column("message_id", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_tries", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'sent', 'failed')", name=op.f("ck_mails_status_known")
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (ended_at IS NULL)", name=op.f("ck_mails_ended_when_over")
        ),
        sa.CheckConstraint("open_tries >= 0", name=op.f("ck_mails_open_tries_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mails")),
        sa.UniqueConstraint(
            "recipient_key", "template", "key", name=op.f("uq_mails_recipient_key_template_key")
        ),
        sa.UniqueConstraint("message_id", name=op.f("uq_mails_message_id")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_mails_status_id", NAME, ["status", "id"])
    op.create_index("ix_mails_created_at", NAME, ["created_at"])
    op.add_column("orders", sa.Column("link_token_hash", sa.String(64), nullable=True))


def downgrade() -> None:
    op.drop_column("orders", "link_token_hash")
    op.drop_table(NAME)

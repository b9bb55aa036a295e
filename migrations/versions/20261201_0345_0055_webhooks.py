"""Receivers of webhooks, and what is delivered to them.

Revision ID: 0055
Revises: 0071
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0055"
down_revision = "0071"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
ENDPOINTS, DELIVERIES = "webhook_endpoints", "webhook_deliveries"


def upgrade() -> None:
    op.create_table(
        ENDPOINTS,
        sa.Column("id", ID, nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", JSON, server_default="[]", nullable=False),
        sa.Column("description", sa.String(200), server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("old_secret_until", TIME, nullable=True),
        sa.Column("failures", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("paused_until", TIME, nullable=True),
        sa.Column("trouble", sa.String(200), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint(
            "failures >= 0", name=op.f("ck_webhook_endpoints_failures_not_negative")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        DELIVERIES,
        sa.Column("id", ID, nullable=False),
        sa.Column("endpoint_id", ID, nullable=False),
        sa.Column("event_seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("status", sa.String(10), server_default="waiting", nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("last_status", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.String(200), nullable=True),
        sa.Column("last_milliseconds", sa.BigInteger(), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("begun_at", TIME, nullable=False),
        sa.Column("next_at", TIME, nullable=False),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("resends", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "status IN ('waiting', 'delivered', 'dead')",
            name=op.f("ck_webhook_deliveries_status_known"),
        ),
        sa.CheckConstraint(
            "attempts >= 0", name=op.f("ck_webhook_deliveries_attempts_not_negative")
        ),
        sa.CheckConstraint(
            "(status = 'waiting') = (ended_at IS NULL)",
            name=op.f("ck_webhook_deliveries_ended_when_over"),
        ),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], [f"{ENDPOINTS}.id"], ondelete="CASCADE",
            name=op.f("fk_webhook_deliveries_endpoint_id_webhook_endpoints"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_deliveries")),
        sa.UniqueConstraint(
            "endpoint_id", "event_seq", name=op.f("uq_webhook_deliveries_endpoint_id_event_seq")
        ),
        sqlite_autoincrement=True,
    )  # fmt: skip
    waiting = sa.text("status = 'waiting'")
    op.create_index("ix_webhook_deliveries_created_at", DELIVERIES, ["created_at"])
    op.create_index("ix_webhook_deliveries_endpoint_id_id", DELIVERIES, ["endpoint_id", "id"])
    for name, columns in (
        ("waiting", ["endpoint_id", "event_seq"]),
        ("of_subject", ["endpoint_id", "subject_kind", "subject_id", "event_seq"]),
    ):
        op.create_index(
            f"ix_webhook_deliveries_{name}", DELIVERIES, columns,
            postgresql_where=waiting, sqlite_where=waiting,
        )  # fmt: skip


def downgrade() -> None:
    op.drop_table(DELIVERIES)
    op.drop_table(ENDPOINTS)

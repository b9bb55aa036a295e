"""The settings of the shop, beside its currency.

Revision ID: 0060
Revises: 0070
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0060"
down_revision = "0070"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NULLABLE = {
    "name": sa.String(200),
    "legal_name": sa.String(200),
    "email": sa.String(254),
    "address": JSON,
    "country": sa.String(2),
    "vat_id": sa.String(20),
    "setup_postponed_until": sa.DateTime(timezone=True),
}
NOT_NULL = {
    "prices_include_tax": (sa.Boolean(), sa.true()),
    "version": (sa.BigInteger(), "1"),
}
# Name, default, name of the check, least value. SQLite adds a check only with its column, which
# Alembic cannot express.
PERIODS = (
    ("hold_minutes", 30, "hold_minutes_positive", 1),
    ("prepayment_days", 7, "prepayment_days_positive", 1),
    ("return_days", 30, "return_days_not_negative", 0),
    ("invoice_days", 14, "invoice_days_not_negative", 0),
)


def upgrade() -> None:
    for name, kind in NULLABLE.items():
        op.add_column("store", sa.Column(name, kind, nullable=True))
    for name, (kind, default) in NOT_NULL.items():
        op.add_column("store", sa.Column(name, kind, server_default=default, nullable=False))
    for name, default, check, least in PERIODS:
        op.execute(
            f"ALTER TABLE store ADD COLUMN {name} BIGINT DEFAULT {default} NOT NULL"
            f" CONSTRAINT ck_store_{check} CHECK ({name} >= {least})"
        )


def downgrade() -> None:
    for name in (*NULLABLE, *NOT_NULL, *(period[0] for period in PERIODS)):
        op.drop_column("store", name)

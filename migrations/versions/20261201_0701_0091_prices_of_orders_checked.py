"""The checks of migration 0090 hold for all orders.

Revision ID: 0091
Revises: 0090
"""

from alembic import op

revision = "0091"
down_revision = "0090"
branch_labels = None
depends_on = None

CHECKS = (
    ("orders", "total_adds_up"),
    ("orders", "tax_treatment_known"),
    ("orders", "shipping_discount_within_shipping"),
    ("orders", "shipping_tax_within_tax"),
    ("order_lines", "discount_within_line"),
    ("order_lines", "tax_not_negative"),
)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        for table, check in CHECKS:
            op.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT ck_{table}_{check}")


def downgrade() -> None:
    pass

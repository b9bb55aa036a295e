"""How the total of an order comes about: its tax, its shipping and its discounts.

The total of an order whose prices include tax has its tax in it, so the check of the total takes that in.

Revision ID: 0090
Revises: 0076
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0090"
down_revision = "0076"
branch_labels = None
depends_on = None
accepted = {
    "ban-drop-constraint": "one that is as strict for what the release before writes takes its place at once",
    "many-rows-at-once": "no release before writes a tax",
}

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NULLABLE = {
    "billing_address": JSON,
    "vat_id": sa.String(20),
    "shipping_method_id": sa.BigInteger(),
    "shipping_method_name": sa.String(100),
}
# Table, column, its type and default, name of its check, the check. SQLite adds a check only with its
# column, which Alembic cannot express.
CHECKED = (
    ("orders", "tax_treatment", "VARCHAR(20) DEFAULT 'standard'", "tax_treatment_known",
     "tax_treatment IN ('standard', 'reverse_charge', 'export')"),
    ("orders", "shipping_discount", "BIGINT DEFAULT 0", "shipping_discount_within_shipping",
     "0 <= shipping_discount AND shipping_discount <= shipping_total"
     " AND shipping_discount <= discount_total"),
    ("orders", "shipping_tax", "BIGINT DEFAULT 0", "shipping_tax_within_tax",
     "0 <= shipping_tax AND shipping_tax <= tax_total"),
    ("order_lines", "discount_total", "BIGINT DEFAULT 0", "discount_within_line",
     "0 <= discount_total AND discount_total <= line_total"),
    ("order_lines", "tax_total", "BIGINT DEFAULT 0", "tax_not_negative", "tax_total >= 0"),
)  # fmt: skip
# Migration 0001 named its checks without `op.f`, so that the convention added the prefix once more.
OLD_NAME, NEW_NAME = "ck_orders_ck_orders_total_adds_up", "ck_orders_total_adds_up"
TOTAL = "total = subtotal - discount_total + shipping_total + {}"
ADDED = TOTAL.format("tax_total")
ADDED_OR_INCLUDED = TOTAL.format("CASE WHEN tax_included THEN 0 ELSE tax_total END")


def upgrade() -> None:
    for name, kind in NULLABLE.items():
        op.add_column("orders", sa.Column(name, kind, nullable=True))
    op.add_column(
        "orders",
        sa.Column("tax_included", sa.Boolean(), server_default=sa.true(), nullable=False),
    )
    for table, column, kind, name, check in CHECKED:
        constraint = f"CONSTRAINT ck_{table}_{name} CHECK ({check})"
        if is_postgresql():
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL")
            op.execute(f"ALTER TABLE {table} ADD {constraint} NOT VALID")
        else:
            op.execute(f"ALTER TABLE {table} ADD COLUMN {column} {kind} NOT NULL {constraint}")
    # Until now tax came on top.
    op.execute("UPDATE orders SET tax_included = false WHERE tax_total > 0")
    change_check(OLD_NAME, ADDED, NEW_NAME, ADDED_OR_INCLUDED)
    op.create_table(
        "order_discounts",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("promotion_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("code", sa.String(50), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('percentage', 'fixed_amount', 'free_shipping', 'buy_x_get_y', 'tax_relief')",
            name=op.f("ck_order_discounts_kind_known"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_order_discounts_amount_positive")),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
            name=op.f("fk_order_discounts_order_id_orders"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_discounts")),
        sa.UniqueConstraint(
            "order_id", "promotion_id", name=op.f("uq_order_discounts_order_id_promotion_id")
        ),
    )
    op.create_index("ix_order_discounts_promotion_id", "order_discounts", ["promotion_id"])
    op.create_table(
        "order_taxes",
        sa.Column("id", ID, nullable=False),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("taxable", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "rate > 0 AND taxable >= 0 AND amount > 0",
            name=op.f("ck_order_taxes_figures_positive"),
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
            name=op.f("fk_order_taxes_order_id_orders"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_order_taxes")),
        sa.UniqueConstraint(
            "order_id", "name", "rate", name=op.f("uq_order_taxes_order_id_name_rate")
        ),
    )


def downgrade() -> None:
    op.drop_table("order_taxes")
    op.drop_table("order_discounts")
    # The former check knows no tax within the total.
    op.execute("UPDATE orders SET tax_total = 0, shipping_tax = 0 WHERE tax_included")
    change_check(NEW_NAME, ADDED_OR_INCLUDED, OLD_NAME, ADDED)
    for table, column, *_rest in reversed(CHECKED):
        op.drop_column(table, column)
    op.drop_column("orders", "tax_included")
    for name in NULLABLE:
        op.drop_column("orders", name)


def is_postgresql() -> bool:
    return op.get_context().dialect.name == "postgresql"


def change_check(old_name: str, before: str, new_name: str, after: str) -> None:
    """Replace the check of an order's total."""
    if is_postgresql():
        op.execute(f"ALTER TABLE orders DROP CONSTRAINT {old_name}")
        op.execute(f"ALTER TABLE orders ADD CONSTRAINT {new_name} CHECK ({after}) NOT VALID")
        return
    # As https://www.sqlite.org/lang_altertable.html describes for a change of checks. To make the table
    # anew would lose its triggers, and what refers to it.
    op.execute("PRAGMA writable_schema = ON")
    op.execute(
        f"UPDATE sqlite_master SET sql = replace(sql, '{before}', '{after}')"
        " WHERE type = 'table' AND name = 'orders'"
    )
    op.execute("PRAGMA writable_schema = RESET")

"""Tax rates, shipping zones and methods, and what of a product they depend on.

Revision ID: 0080
Revises: 0091
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0080"
down_revision = "0091"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")

def upgrade() -> None:
    op.create_table(
        "tax_rates",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("region", sa.String(10), server_default="", nullable=False),
        sa.Column("tax_class", sa.String(50), server_default="standard", nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("rate BETWEEN 0 AND 1000000", name=op.f("ck_tax_rates_rate_in_range")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_rates")),
        sa.UniqueConstraint("country", "region", "tax_class", "name", name=op.f("uq_tax_rates_country_region_tax_class_name")),
    )
    op.create_table(
        "shipping_zones",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("rest_of_world", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_zones")),
    )
    op.create_index(op.f("uq_shipping_zones_rest_of_world"), "shipping_zones", ["rest_of_world"], unique=True, sqlite_where=sa.text("rest_of_world"), postgresql_where=sa.text("rest_of_world"))
    op.create_table(
        "shipping_places",
        sa.Column("id", ID, nullable=False),
        sa.Column("zone_id", ID, nullable=False),
        sa.Column("country", sa.String(2), nullable=False),
        sa.Column("region", sa.String(10), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["zone_id"], ["shipping_zones.id"], name=op.f("fk_shipping_places_zone_id_shipping_zones"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_places")),
        sa.UniqueConstraint("country", "region", name=op.f("uq_shipping_places_country_region")),
    )
    op.create_index(op.f("ix_shipping_places_zone_id"), "shipping_places", ["zone_id"])
    op.create_table(
        "shipping_methods",
        sa.Column("id", ID, nullable=False),
        sa.Column("zone_id", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("basis", sa.String(10), server_default="flat", nullable=False),
        sa.Column("rates", JSON, nullable=False),
        sa.Column("free_from", sa.BigInteger(), nullable=True),
        sa.Column("tax_class", sa.String(50), server_default="standard", nullable=False),
        sa.Column("min_days", sa.BigInteger(), nullable=True),
        sa.Column("max_days", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("basis IN ('flat', 'subtotal', 'weight')", name=op.f("ck_shipping_methods_basis_known")),
        sa.CheckConstraint("0 <= min_days AND min_days <= max_days", name=op.f("ck_shipping_methods_days_in_order")),
        sa.CheckConstraint("free_from >= 0", name=op.f("ck_shipping_methods_free_from_not_negative")),
        sa.ForeignKeyConstraint(["zone_id"], ["shipping_zones.id"], name=op.f("fk_shipping_methods_zone_id_shipping_zones"), ondelete="RESTRICT"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shipping_methods")),
    )
    op.create_index(op.f("ix_shipping_methods_zone_id"), "shipping_methods", ["zone_id"])
    op.add_column("products", sa.Column("tax_class", sa.String(50), server_default="standard", nullable=False))
    op.add_column("products", sa.Column("requires_shipping", sa.Boolean(), server_default=sa.true(), nullable=False))
    weight, check = "weight BIGINT DEFAULT 0 NOT NULL", "CONSTRAINT ck_variants_weight_not_negative CHECK (weight >= 0)"
    if op.get_context().dialect.name == "postgresql":
        op.execute(f"ALTER TABLE variants ADD COLUMN {weight}")
        op.execute(f"ALTER TABLE variants ADD {check} NOT VALID")
    else:  # SQLite adds a check only with its column
        op.execute(f"ALTER TABLE variants ADD COLUMN {weight} {check}")


def downgrade() -> None:
    op.drop_column("variants", "weight")
    op.drop_column("products", "requires_shipping")
    op.drop_column("products", "tax_class")
    op.drop_table("shipping_methods")
    op.drop_table("shipping_places")
    op.drop_table("shipping_zones")
    op.drop_table("tax_rates")

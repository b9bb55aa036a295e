"""Promotions, their codes, and the orders that used them. The check of migration 0080 holds for all variants.

Revision ID: 0085
Revises: 0080
"""

import sqlalchemy as sa
from alembic import op

revision = "0085"
down_revision = "0080"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "promotions",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("value", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("min_subtotal", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("min_quantity", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("buy_quantity", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("get_quantity", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("max_sets", sa.BigInteger(), nullable=True),
        sa.Column("names_articles", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("needs_code", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("starts_at", TIME, nullable=True),
        sa.Column("ends_at", TIME, nullable=True),
        sa.Column("priority", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("exclusive", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.Column("limit_total", sa.BigInteger(), nullable=True),
        sa.Column("limit_per_customer", sa.BigInteger(), nullable=True),
        sa.Column("is_active", sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column("uses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.CheckConstraint("value >= 0 AND min_subtotal >= 0 AND min_quantity >= 0 AND buy_quantity >= 0 AND get_quantity >= 0 AND max_sets >= 1", name=op.f("ck_promotions_figures_not_negative")),
        sa.CheckConstraint("kind IN ('percentage', 'fixed_amount', 'free_shipping', 'buy_x_get_y')", name=op.f("ck_promotions_kind_known")),
        sa.CheckConstraint("limit_total >= 1 AND limit_per_customer >= 1", name=op.f("ck_promotions_limits_positive")),
        sa.CheckConstraint("kind NOT IN ('percentage', 'buy_x_get_y') OR value <= 100000", name=op.f("ck_promotions_percent_at_most_all")),
        sa.CheckConstraint("kind != 'buy_x_get_y' OR (buy_quantity >= 1 AND get_quantity >= 1)", name=op.f("ck_promotions_sets_have_units")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_promotions_starts_before_it_ends")),
        sa.CheckConstraint("0 <= uses AND uses <= limit_total", name=op.f("ck_promotions_uses_within_limit")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotions")),
    )
    op.create_index(op.f("ix_promotions_automatic"), "promotions", ["id"], sqlite_where=sa.text("deleted_at IS NULL AND is_active AND NOT needs_code"), postgresql_where=sa.text("deleted_at IS NULL AND is_active AND NOT needs_code"))
    general = sa.text("deleted_at IS NULL AND is_active AND NOT needs_code AND NOT names_articles")
    op.create_index(op.f("ix_promotions_about_everything"), "promotions", ["id"], sqlite_where=general, postgresql_where=general)
    op.create_table(
        "promotion_articles",
        sa.Column("id", ID, nullable=False),
        sa.Column("promotion_id", ID, nullable=False),
        sa.Column("part", sa.String(3), nullable=False),
        sa.Column("product_id", ID, nullable=True),
        sa.Column("category_id", ID, nullable=True),
        sa.CheckConstraint("product_id IS NULL OR category_id IS NULL", name=op.f("ck_promotion_articles_one_article")),
        sa.CheckConstraint("part IN ('buy', 'get')", name=op.f("ck_promotion_articles_part_known")),
        sa.ForeignKeyConstraint(["category_id"], ["categories.id"], name=op.f("fk_promotion_articles_category_id_categories"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_promotion_articles_product_id_products"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["promotion_id"], ["promotions.id"], name=op.f("fk_promotion_articles_promotion_id_promotions"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion_articles")),
    )
    op.create_index(op.f("ix_promotion_articles_category_id"), "promotion_articles", ["category_id"])
    op.create_index(op.f("ix_promotion_articles_product_id"), "promotion_articles", ["product_id"])
    op.create_index(op.f("ix_promotion_articles_promotion_id"), "promotion_articles", ["promotion_id"])
    op.create_table(
        "promotion_codes",
        sa.Column("id", ID, nullable=False),
        sa.Column("promotion_id", ID, nullable=False),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("code_key", sa.String(50), nullable=False),
        sa.Column("limit_total", sa.BigInteger(), nullable=True),
        sa.Column("uses", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("limit_total >= 1", name=op.f("ck_promotion_codes_limit_positive")),
        sa.CheckConstraint("0 <= uses AND uses <= limit_total", name=op.f("ck_promotion_codes_uses_within_limit")),
        sa.ForeignKeyConstraint(["promotion_id"], ["promotions.id"], name=op.f("fk_promotion_codes_promotion_id_promotions"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_promotion_codes")),
        sa.UniqueConstraint("code_key", name=op.f("uq_promotion_codes_code_key")),
    )
    op.create_index(op.f("ix_promotion_codes_promotion_id_id"), "promotion_codes", ["promotion_id", "id"])
    op.create_table(
        "cart_codes",
        sa.Column("id", ID, nullable=False),
        sa.Column("cart_id", ID, nullable=False),
        sa.Column("code", sa.String(50), nullable=False),
        sa.Column("code_key", sa.String(50), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["cart_id"], ["carts.id"], name=op.f("fk_cart_codes_cart_id_carts"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cart_codes")),
        sa.UniqueConstraint("cart_id", "code_key", name=op.f("uq_cart_codes_cart_id_code_key")),
    )
    op.create_table(
        "redemptions",
        sa.Column("id", ID, nullable=False),
        sa.Column("promotion_id", ID, nullable=False),
        sa.Column("code_id", ID, nullable=True),
        sa.Column("order_id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("user_use", sa.BigInteger(), nullable=True),
        sa.Column("email_hash", sa.String(64), nullable=True),
        sa.Column("email_use", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("user_use >= 1 AND email_use >= 1", name=op.f("ck_redemptions_uses_positive")),
        sa.ForeignKeyConstraint(["code_id"], ["promotion_codes.id"], name=op.f("fk_redemptions_code_id_promotion_codes"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_redemptions_order_id_orders"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["promotion_id"], ["promotions.id"], name=op.f("fk_redemptions_promotion_id_promotions"), ondelete="RESTRICT"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_redemptions_user_id_users"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemptions")),
        sa.UniqueConstraint("promotion_id", "email_hash", "email_use", name=op.f("uq_redemptions_promotion_id_email_hash_email_use")),
        sa.UniqueConstraint("promotion_id", "order_id", name=op.f("uq_redemptions_promotion_id_order_id")),
        sa.UniqueConstraint("promotion_id", "user_id", "user_use", name=op.f("uq_redemptions_promotion_id_user_id_user_use")),
    )
    op.create_index(op.f("ix_redemptions_code_id"), "redemptions", ["code_id"])
    op.create_index(op.f("ix_redemptions_order_id"), "redemptions", ["order_id"])
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE variants VALIDATE CONSTRAINT ck_variants_weight_not_negative")


def downgrade() -> None:
    op.drop_table("redemptions")
    op.drop_table("cart_codes")
    op.drop_table("promotion_codes")
    op.drop_table("promotion_articles")
    op.drop_table("promotions")

"""Lists show, sort and filter by the lowest price of what is in stock.

`products.price` is that price. A trigger writes it where a variant sells out or is in stock again, whichever
release sells it. The product is locked before its variants are read: of two variants that sell out at
once, the second transaction then sees the first.

Revision ID: 0032
Revises: 0031
"""

from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

CROSSES_ZERO = "(OLD.on_hand > OLD.allocated) <> (NEW.on_hand > NEW.allocated)"
LOWEST = (
    "SELECT coalesce(min(CASE WHEN on_hand > allocated THEN price END), min(price))"
    " FROM variants WHERE product_id = NEW.product_id AND is_active AND deleted_at IS NULL"
)


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION variants_from_price() RETURNS trigger LANGUAGE plpgsql AS $$"
            " DECLARE lowest bigint; BEGIN"
            "  PERFORM FROM products WHERE id = NEW.product_id FOR NO KEY UPDATE;"
            f"  lowest := ({LOWEST});"
            "  UPDATE products SET price = lowest WHERE id = NEW.product_id AND price <> lowest;"
            " RETURN NULL; END $$"
        )
        op.execute(
            "CREATE TRIGGER variants_from_price AFTER UPDATE OF on_hand, allocated ON variants"
            f" FOR EACH ROW WHEN ({CROSSES_ZERO}) EXECUTE FUNCTION variants_from_price()"
        )
        return
    op.execute(
        "CREATE TRIGGER variants_from_price AFTER UPDATE OF on_hand, allocated ON variants"
        f" WHEN {CROSSES_ZERO} BEGIN"
        f" UPDATE products SET price = ({LOWEST})"
        f" WHERE id = NEW.product_id AND price <> ({LOWEST});"
        " END"
    )


def downgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("DROP TRIGGER variants_from_price ON variants")
        op.execute("DROP FUNCTION variants_from_price()")
    else:
        op.execute("DROP TRIGGER variants_from_price")

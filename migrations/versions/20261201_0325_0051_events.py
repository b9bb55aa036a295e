"""What happened in the shop, stored by triggers.

They write the event in the transaction of the change, whichever release makes it. An order's event follows
from a row of its history, a product's from its version, those of stock from a variant's figures: `stock.out`
where the last unit is taken, `stock.low` where no more than `store.low_stock` are left.

Revision ID: 0051
Revises: 0060
"""

from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0051"
down_revision = "0060"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
NAME = "events"
ROW = "INSERT INTO events (type, at, subject_kind, subject_id, data)"
JSON_OBJECT = {"postgresql": "jsonb_build_object", "sqlite": "json_object"}
NOW = {
    "postgresql": "statement_timestamp()",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now') || '000'",
}
DIFFERS = {"postgresql": "IS DISTINCT FROM", "sqlite": "IS NOT"}
AVAILABLE = "({0}.on_hand - {0}.allocated)"


def upgrade() -> None:
    op.create_table(
        NAME,
        sa.Column("id", ID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("type", sa.String(40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("subject_kind", sa.String(20), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        sa.Column("data", JSON, server_default="{}", nullable=False),
        sa.CheckConstraint(
            "subject_kind IN ('order', 'product', 'variant', 'customer')",
            name=op.f("ck_events_subject_kind_known"),
        ),
        sa.CheckConstraint("seq >= 1", name=op.f("ck_events_seq_positive")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
    )
    unnumbered = sa.text("seq IS NULL")
    op.create_index("uq_events_seq", NAME, ["seq"], unique=True)
    op.create_index("ix_events_at", NAME, ["at"])
    op.create_index("ix_events_type_seq", NAME, ["type", "seq"])
    op.create_index(
        "ix_events_subject_kind_subject_id_id", NAME, ["subject_kind", "subject_id", "id"]
    )
    op.create_index(
        "ix_events_unnumbered", NAME, ["id"], postgresql_where=unnumbered, sqlite_where=unnumbered
    )
    op.add_column("store", sa.Column("low_stock", sa.BigInteger(), server_default="5", nullable=False))
    dialect = op.get_context().dialect.name
    for name, table, event, condition, statements in triggers(dialect):
        if dialect == "postgresql":
            _create_on_postgresql(name, table, event, condition, statements)
        else:
            op.execute(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} WHEN {condition}"
                f" BEGIN {statements}; END"
            )


def downgrade() -> None:
    dialect = op.get_context().dialect.name
    for name, table, *_rest in triggers(dialect):
        if dialect == "postgresql":
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
        else:
            op.execute(f"DROP TRIGGER {name}")
    op.drop_table(NAME)
    op.execute("ALTER TABLE store DROP COLUMN low_stock")


def triggers(dialect: str) -> Iterator[tuple[str, str, str, str, str]]:
    """The triggers: name, table, event, condition, statements. Tables in the order of locks."""
    as_json, now, differs = JSON_OBJECT[dialect], NOW[dialect], DIFFERS[dialect]
    yield (
        "users_registered_event", "users", "INSERT", "NEW.role = 'customer'",
        f"{ROW} VALUES ('customer.registered', {now}, 'customer', NEW.id, '{{}}')",
    )  # fmt: skip
    yield (
        "order_events_event", "order_events", "INSERT",
        "NEW.status IN ('pending', 'cancelled', 'shipped', 'delivered')",
        f"{ROW} SELECT"
        " CASE NEW.status WHEN 'pending' THEN 'order.placed' ELSE 'order.' || NEW.status END,"
        f" NEW.at, 'order', o.id, {as_json}('number', o.number, 'status', NEW.status,"
        " 'total', o.total, 'currency', o.currency) FROM orders o WHERE o.id = NEW.order_id",
    )  # fmt: skip
    product = f"{as_json}('slug', NEW.slug, 'version', NEW.version)"
    yield (
        "products_created_event", "products", "INSERT", "NEW.deleted_at IS NULL",
        f"{ROW} VALUES ('product.created', {now}, 'product', NEW.id, {product})",
    )  # fmt: skip
    yield (
        "products_edited_event", "products", "UPDATE OF version, deleted_at",
        f"NEW.version <> OLD.version OR NEW.deleted_at {differs} OLD.deleted_at",
        f"{ROW} VALUES (CASE WHEN NEW.deleted_at IS NULL THEN 'product.edited'"
        f" ELSE 'product.deleted' END, {now}, 'product', NEW.id, {product})",
    )  # fmt: skip
    yield (
        "variants_stock_event", "variants", "UPDATE OF on_hand, allocated",
        f"{AVAILABLE.format('NEW')} < {AVAILABLE.format('OLD')}"
        " AND NEW.is_active AND NEW.deleted_at IS NULL",
        f"{ROW} SELECT CASE {AVAILABLE.format('NEW')} WHEN 0 THEN 'stock.out' ELSE 'stock.low' END,"
        f" {now}, 'variant', NEW.id, {as_json}('sku', NEW.sku, 'product_id', NEW.product_id,"
        f" 'available', {AVAILABLE.format('NEW')}) FROM store"
        f" WHERE {AVAILABLE.format('NEW')} = 0 OR ({AVAILABLE.format('NEW')} <= low_stock"
        f" AND {AVAILABLE.format('OLD')} > low_stock)",
    )  # fmt: skip


def _create_on_postgresql(
    name: str, table: str, event: str, condition: str, statements: str
) -> None:
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
        # As the owner: the runtime role has rights on `events` only after the last migration, and the
        # release before goes on selling meanwhile.
        " SECURITY DEFINER SET search_path = public, pg_temp AS"
        f" $$ BEGIN {statements}; RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON {table}"
        f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}()"
    )

"""Whether a shop has ever set up tax rates, shipping methods or promotions, so that pricing reads only what may
be there. Triggers note it, whoever adds the first one.

Revision ID: 0086
Revises: 0085
"""

import sqlalchemy as sa
from alembic import op

revision = "0086"
down_revision = "0085"
branch_labels = None
depends_on = None
accepted = {"many-rows-at-once": "the table has one row"}

FLAGS = {
    "tax_rates": "has_tax_rates",
    "shipping_methods": "has_shipping_methods",
    "promotions": "has_promotions",
}


def upgrade() -> None:
    on_postgresql = op.get_context().dialect.name == "postgresql"
    for table, flag in FLAGS.items():
        column = sa.Column(flag, sa.Boolean(), server_default=sa.false(), nullable=False)
        op.add_column("store", column)
        name, note = f"{table}_in_use", f"UPDATE store SET {flag} = true WHERE NOT {flag}"
        if on_postgresql:
            op.execute(
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql"
                " SECURITY DEFINER SET search_path = public, pg_temp AS"
                f" $$ BEGIN {note}; RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER {name} AFTER INSERT ON {table}"
                f" FOR EACH ROW EXECUTE FUNCTION {name}()"
            )
        else:
            op.execute(f"CREATE TRIGGER {name} AFTER INSERT ON {table} BEGIN {note}; END")
        op.execute(f"UPDATE store SET {flag} = true WHERE EXISTS (SELECT 1 FROM {table})")


def downgrade() -> None:
    on_postgresql = op.get_context().dialect.name == "postgresql"
    for table, flag in reversed(FLAGS.items()):
        name = f"{table}_in_use"
        if on_postgresql:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
        else:
            op.execute(f"DROP TRIGGER {name}")
        op.execute(f"ALTER TABLE store DROP COLUMN {flag}")

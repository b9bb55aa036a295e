"""The audit trail and the stock ledger only grow: TRUNCATE, REPLACE and changes are refused.

One change of the ledger remains: the reason that a member of staff wrote may name a person, and is
overwritten with the fixed text "erased" when that person asks for it. All else in the row stays.

Revision ID: 0014
Revises: 0019
"""

from alembic import op

revision = "0014"
down_revision = "0019"
branch_labels = None
depends_on = None

TRAIL = "audit events are never changed"  # as in 0002
LEDGER = "stock movements are never changed"
# Movements of an order have the shop's own words as their reason.
ERASES = "NEW.reason = 'erased' AND OLD.order_id IS NULL"
# Whoever adds a column to the ledger makes this trigger anew with it.
COLUMNS = ("id", "variant_id", "on_hand_delta", "allocated_delta", "order_id", "user_id", "at")


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _guard_on_postgresql()
    else:
        _guard_on_sqlite()


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER audit_events_no_truncate ON audit_events")
        for name in ("stay", "no_truncate"):
            op.execute(f"DROP TRIGGER stock_movements_{name} ON stock_movements")
        op.execute("DROP FUNCTION stock_movements_stay()")
        return
    op.execute("DROP TRIGGER audit_events_no_replace")
    for name in ("update", "delete", "replace"):
        op.execute(f"DROP TRIGGER stock_movements_no_{name}")


def _guard_on_postgresql() -> None:
    op.execute(
        "CREATE FUNCTION stock_movements_stay() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        f" IF TG_OP = 'UPDATE' THEN IF {ERASES} THEN"
        " OLD.reason := NEW.reason; IF OLD IS NOT DISTINCT FROM NEW THEN RETURN NEW; END IF;"
        " END IF; END IF;"
        f" RAISE EXCEPTION '{LEDGER}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER stock_movements_stay BEFORE UPDATE OR DELETE ON stock_movements"
        " FOR EACH ROW EXECUTE FUNCTION stock_movements_stay()"
    )
    for table in ("audit_events", "stock_movements"):
        op.execute(
            f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table}"
            f" FOR EACH STATEMENT EXECUTE FUNCTION {table}_stay()"
        )


def _guard_on_sqlite() -> None:
    same = " AND ".join(f"NEW.{name} IS OLD.{name}" for name in COLUMNS)
    _refuse("stock_movements_no_update", f"UPDATE ON stock_movements WHEN NOT ({ERASES} AND {same})")
    _refuse("stock_movements_no_delete", "DELETE ON stock_movements")
    for table in ("audit_events", "stock_movements"):
        # INSERT OR REPLACE deletes the old row without firing a trigger of DELETE. Where SQLite
        # chooses the id itself, it is -1 here.
        replaces = f"NEW.id > 0 AND EXISTS (SELECT * FROM {table} WHERE id = NEW.id)"
        _refuse(f"{table}_no_replace", f"INSERT ON {table} WHEN {replaces}")


def _refuse(name: str, event: str) -> None:
    words = TRAIL if name.startswith("audit_events") else LEDGER
    op.execute(f"CREATE TRIGGER {name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{words}'); END")

"""Open guest orders are found by network and by email, with what they hold, from an index alone.

Revision ID: 0016b
Revises: 0016
"""

import sqlalchemy as sa

from migrations import online

revision = "0016b"
down_revision = "0016"
branch_labels = None
depends_on = None

SCOPES = ("network", "email")


def upgrade() -> None:
    for scope in SCOPES:
        is_open = sa.text(f"status = 'pending' AND guest_{scope}_hash IS NOT NULL")
        online.create_index(
            f"ix_orders_open_guest_{scope}",
            "orders",
            [f"guest_{scope}_hash", "guest_units"],
            postgresql_where=is_open,
            sqlite_where=is_open,
        )


def downgrade() -> None:
    for scope in reversed(SCOPES):
        online.drop_index(f"ix_orders_open_guest_{scope}", "orders")

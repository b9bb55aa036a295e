"""Orders are found by the beginning of a number and by an email, as staff mostly know them.

In indexes that are in the order of letters, whatever the database's language: trigrams of a whole
number, or of an email of many orders, take a hundred times as long. That of emails holds all that a
list sorts and counts by.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    online.create_index("ix_orders_search_number", "orders", [sa.text("number text_pattern_ops")])
    online.create_index(
        "ix_orders_search_email",
        "orders",
        [sa.text("lower(email) text_pattern_ops"), "placed_at", "id"],
        postgresql_include=["email"],  # or the table would be asked what lower(email) is made of
    )


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    online.drop_index("ix_orders_search_email", "orders")
    online.drop_index("ix_orders_search_number", "orders")

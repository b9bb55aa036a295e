"""The words of orders and accounts are in an index, and so are the rows whose words are missing or
were written by another release.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from migrations import online

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

TABLES = ("orders", "users")
IS_OUTDATED = sa.text("coalesce(substr(lookup_words, 1, 1), '') <> '|'")


def upgrade() -> None:
    for table in TABLES:
        if op.get_context().dialect.name == "postgresql":
            vector = sa.text("array_to_tsvector(string_to_array(lookup_words, ' '))")
            online.create_index(
                f"ix_{table}_lookup_words", table, [vector], postgresql_using="gin"
            )
        online.create_index(
            f"ix_{table}_outdated_lookup_words",
            table,
            ["id"],
            postgresql_where=IS_OUTDATED,
            sqlite_where=IS_OUTDATED,
        )


def downgrade() -> None:
    for table in reversed(TABLES):
        online.drop_index(f"ix_{table}_outdated_lookup_words", table)
        if op.get_context().dialect.name == "postgresql":
            online.drop_index(f"ix_{table}_lookup_words", table)

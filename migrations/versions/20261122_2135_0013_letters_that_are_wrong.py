"""PostgreSQL compares words letter by letter, so that search finds more slips of the keyboard.

The extension is in contrib and trusted, as pg_trgm is: the database's owner may make it.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute("CREATE EXTENSION IF NOT EXISTS fuzzystrmatch")


def downgrade() -> None:
    """The extension stays: somebody else may have made it, or use it."""

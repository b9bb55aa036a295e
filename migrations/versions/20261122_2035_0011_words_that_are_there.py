"""The words of the products that are there join those that triggers collect since 0010.

Apart from it, since to make a trigger keeps writers waiting until the end of its transaction.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None
accepted = {"many-rows-at-once": "The words are looked for first; to add them takes a moment."}


def upgrade() -> None:
    if op.get_context().dialect.name == "postgresql":
        op.execute(
            "INSERT INTO search_stems SELECT DISTINCT regexp_replace(word, '[0-9].*', '0') AS stem"
            " FROM (SELECT DISTINCT word FROM products,"
            "  unnest(tsvector_to_array(search_vector)) AS word) AS words"
            " ORDER BY stem ON CONFLICT DO NOTHING"
        )


def downgrade() -> None:
    """0010 drops the table."""

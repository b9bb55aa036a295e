"""PostgreSQL knows which words products are found by, so that it can finish one that is begun.

Triggers collect them, whoever writes. What follows a word's first digit is left out, and the digit
stands as 0: codes are as many as products. The next migration adds the words that are there.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

EVENTS = ("insert", "update")


def upgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return  # FTS5 has its own index of beginnings
    op.execute('CREATE TABLE search_stems (word text COLLATE "C" PRIMARY KEY)')
    op.execute(
        "CREATE FUNCTION products_stems() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO search_stems SELECT stem FROM ("
        "   SELECT DISTINCT regexp_replace(word, '[0-9].*', '0') AS stem FROM ("
        "    SELECT DISTINCT word FROM new_rows, unnest(tsvector_to_array(search_vector)) AS word"
        "   ) AS words"
        "  ) AS stems"
        "  WHERE NOT EXISTS (SELECT FROM search_stems WHERE word = stem)"
        "  ORDER BY stem ON CONFLICT DO NOTHING;"
        " RETURN NULL; END $$"
    )
    for event in EVENTS:
        op.execute(
            f"CREATE TRIGGER products_stems_{event} AFTER {event.upper()} ON products"
            " REFERENCING NEW TABLE AS new_rows"
            " FOR EACH STATEMENT EXECUTE FUNCTION products_stems()"
        )


def downgrade() -> None:
    if op.get_context().dialect.name != "postgresql":
        return
    for event in EVENTS:
        op.execute(f"DROP TRIGGER products_stems_{event} ON products")
    op.execute("DROP FUNCTION products_stems()")
    op.execute("DROP TABLE search_stems")

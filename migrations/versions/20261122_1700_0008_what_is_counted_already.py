"""Categories know how many products they offer, and PostgreSQL which words names are made of.

Triggers keep both, whoever writes: counted at every look, a million products take half a second.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
accepted = {
    "many-rows-at-once": "Categories are few; products are counted in half a second for a million,"
    " for which writers wait, so that none is counted twice."
}

OFFERED = "deleted_at IS NULL AND is_active AND category_id IS NOT NULL"
COUNT = (
    "UPDATE categories SET offered = (SELECT count(*) FROM products"
    f" WHERE category_id = categories.id AND {OFFERED})"
)
EVENTS = {"insert": ("new",), "update": ("old", "new"), "delete": ("old",)}


def upgrade() -> None:
    op.add_column(
        "categories", sa.Column("offered", sa.BigInteger(), server_default="0", nullable=False)
    )
    if op.get_context().dialect.name == "postgresql":
        _count_on_postgresql()
        _collect_words()
    else:
        _count_on_sqlite()
    op.execute(COUNT)


def downgrade() -> None:
    postgresql = op.get_context().dialect.name == "postgresql"
    for event in EVENTS:
        table = " ON products" if postgresql else ""
        op.execute(f"DROP TRIGGER products_offered_{event}{table}")
        if postgresql:
            op.execute(f"DROP FUNCTION products_offered_{event}()")
    if postgresql:
        for event in ("insert", "update"):
            op.execute(f"DROP TRIGGER products_words_{event} ON products")
        op.execute("DROP FUNCTION products_words()")
        op.execute("DROP TABLE search_words")
    # Not in a batch, which would make the table anew and drop the old one.
    op.execute("ALTER TABLE categories DROP COLUMN offered")


def _count_on_postgresql() -> None:
    """Once a statement, however many rows it writes; categories are locked in the order of ids."""
    for event, tables in EVENTS.items():
        changes = " UNION ALL ".join(
            f"SELECT category_id, {'-1' if table == 'old' else '1'} AS n FROM {table}_rows"
            f" WHERE {OFFERED}"
            for table in tables
        )
        op.execute(
            f"CREATE FUNCTION products_offered_{event}() RETURNS trigger LANGUAGE plpgsql AS $$"
            " DECLARE change record; BEGIN"
            f" FOR change IN SELECT category_id, sum(n) AS n FROM ({changes}) AS changes"
            "  GROUP BY category_id HAVING sum(n) <> 0 ORDER BY category_id LOOP"
            "  UPDATE categories SET offered = offered + change.n WHERE id = change.category_id;"
            " END LOOP; RETURN NULL; END $$"
        )
        _after(event, tables, f"products_offered_{event}")


def _collect_words() -> None:
    """For words with slips of the keyboard. Numbers are left out: they are typed right or not."""
    op.execute("CREATE TABLE search_words (word text PRIMARY KEY)")
    op.execute("CREATE INDEX ix_search_words ON search_words USING gin (word gin_trgm_ops)")
    op.execute(
        "CREATE FUNCTION products_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " INSERT INTO search_words SELECT DISTINCT word"
        "  FROM new_rows, unnest(string_to_array(search_title, ' ')) AS word"
        "  WHERE word !~ '[0-9]' AND length(word) BETWEEN 3 AND 50"
        "   AND NOT EXISTS (SELECT FROM search_words AS known WHERE known.word = word.word)"
        "  ORDER BY word ON CONFLICT DO NOTHING;"
        " RETURN NULL; END $$"
    )
    for event in ("insert", "update"):
        _after(event, EVENTS[event], "products_words", f"products_words_{event}")


def _after(event: str, tables: tuple[str, ...], function: str, name: str = "") -> None:
    given = " ".join(f"{table.upper()} TABLE AS {table}_rows" for table in tables)
    op.execute(
        f"CREATE TRIGGER {name or function} AFTER {event.upper()} ON products"
        f" REFERENCING {given} FOR EACH STATEMENT EXECUTE FUNCTION {function}()"
    )


def _count_on_sqlite() -> None:
    changed = " OF category_id, is_active, deleted_at"
    for event, tables in EVENTS.items():
        steps = " ".join(
            f"UPDATE categories SET offered = offered {'-' if table == 'old' else '+'} 1"
            f" WHERE id = {table}.category_id AND {table}.deleted_at IS NULL AND {table}.is_active;"
            for table in tables
        )
        columns = changed if event == "update" else ""
        op.execute(
            f"CREATE TRIGGER products_offered_{event} AFTER {event.upper()}{columns} ON products"
            f" BEGIN {steps} END"
        )

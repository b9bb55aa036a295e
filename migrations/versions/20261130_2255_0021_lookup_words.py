"""Orders and accounts store the words by which staff find them: names, addresses, phones, articles.

Empty at first: `flask renew-search-keys` fills them, and a server of the release before writes none.
Erasing a person is up to triggers, so that no release can forget the words: a change of the person that
leaves the words as they were takes the person out of an order's, and clears an account's.

Revision ID: 0021
Revises: 0041
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0041"
branch_labels = None
depends_on = None

# Accounts before orders, as everybody locks them.
PERSON = {"users": ("first_name", "last_name"), "orders": ("email", "shipping_address")}
# An order's words are "| things | person".
REST_ON_POSTGRESQL = {"orders": "substring(NEW.lookup_words FROM '^(.*?) [|]( |$)')", "users": "NULL"}
REST_ON_SQLITE = {
    "orders": "substr(new.lookup_words, 1, instr(new.lookup_words || ' ', ' | ') - 1)",
    "users": "NULL",
}


def upgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    for table, columns in PERSON.items():
        op.add_column(table, sa.Column("lookup_words", sa.Text(), nullable=True))
        if is_postgresql:
            _guard_on_postgresql(table, columns)
        else:
            _guard_on_sqlite(table, columns)
            _index_on_sqlite(table)


def downgrade() -> None:
    is_postgresql = op.get_context().dialect.name == "postgresql"
    for table in PERSON:
        if is_postgresql:
            op.execute(f"DROP TRIGGER {table}_lookup_words ON {table}")
            op.execute(f"DROP FUNCTION {table}_lookup_words()")
        else:
            for name in ("lookup_words", "fts_insert", "fts_update", "fts_delete"):
                op.execute(f"DROP TRIGGER {table}_{name}")
            op.execute(f"DROP TABLE {table}_fts")
        op.execute(f"ALTER TABLE {table} DROP COLUMN lookup_words")


def _guard_on_postgresql(table: str, columns: tuple[str, ...]) -> None:
    changed = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in columns)
    op.execute(
        f"CREATE FUNCTION {table}_lookup_words() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN NEW.lookup_words := {REST_ON_POSTGRESQL[table]}; RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_lookup_words BEFORE UPDATE OF {', '.join(columns)} ON {table}"
        " FOR EACH ROW"
        f" WHEN (({changed}) AND OLD.lookup_words IS NOT DISTINCT FROM NEW.lookup_words)"
        f" EXECUTE FUNCTION {table}_lookup_words()"
    )


def _guard_on_sqlite(table: str, columns: tuple[str, ...]) -> None:
    changed = " OR ".join(f"old.{name} IS NOT new.{name}" for name in columns)
    op.execute(
        f"CREATE TRIGGER {table}_lookup_words AFTER UPDATE OF {', '.join(columns)} ON {table}"
        f" WHEN ({changed}) AND new.lookup_words IS NOT NULL AND old.lookup_words IS new.lookup_words"
        f" BEGIN UPDATE {table} SET lookup_words = {REST_ON_SQLITE[table]} WHERE id = new.id; END"
    )


def _index_on_sqlite(table: str) -> None:
    op.execute(
        f"CREATE VIRTUAL TABLE {table}_fts USING fts5("
        f"lookup_words, content='{table}', content_rowid='id', prefix='2 3')"
    )
    add = f"INSERT INTO {table}_fts(rowid, lookup_words) SELECT new.id, new.lookup_words{{}};"
    remove = (
        f"INSERT INTO {table}_fts({table}_fts, rowid, lookup_words)"
        " SELECT 'delete', old.id, old.lookup_words{};"
    )
    new, old = " WHERE new.lookup_words IS NOT NULL", " WHERE old.lookup_words IS NOT NULL"
    for name, event, steps in (
        ("insert", "AFTER INSERT", add.format(new)),
        ("delete", "AFTER DELETE", remove.format(old)),
        ("update", "AFTER UPDATE OF lookup_words", remove.format(old) + add.format(new)),
    ):
        op.execute(f"CREATE TRIGGER {table}_fts_{name} {event} ON {table} BEGIN {steps} END")

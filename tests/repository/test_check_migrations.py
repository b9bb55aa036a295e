"""The check of migrations: what would keep a running shop waiting is found, by planting it."""

import importlib.util
import re
import textwrap
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from app.config import ROOT


def load():
    spec = importlib.util.spec_from_file_location(
        "check_migrations", ROOT / "scripts/check_migrations.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check = load()

LOCKING = [
    ('op.create_index("ix", "orders", ["note"])', "require-concurrent-index-creation"),
    ('op.create_index("ix", "orders", ["note"], postgresql_concurrently=True)',
     "ban-concurrent-index-creation-in-transaction"),
    ('op.drop_index("ix_orders_placed_at_id", "orders")', "require-concurrent-index-deletion"),
    ('op.add_column("orders", sa.Column("a", sa.BigInteger, nullable=False))',
     "adding-required-field"),
    ('op.add_column("orders", sa.Column("a", sa.DateTime, server_default=sa.text("clock_timestamp()")))',
     "adding-field-with-default"),
    ('op.add_column("orders", sa.Column("a", sa.Text, sa.Computed("note", persisted=True)))',
     "adding-field-with-default"),
    ('op.alter_column("orders", "note", type_=sa.String(9))', "changing-column-type"),
    ('op.alter_column("orders", "user_id", nullable=False)', "adding-not-nullable-field"),
    ('op.alter_column("orders", "note", new_column_name="notes")', "renaming-column"),
    ('op.rename_table("orders", "sales")', "renaming-table"),
    ('op.drop_column("orders", "note")', "ban-drop-column"),
    ('op.drop_table("orders")', "ban-drop-table"),
    ('op.create_check_constraint("ck", "orders", "total > 0")', "constraint-missing-not-valid"),
    ('op.create_foreign_key("fk", "orders", "users", ["user_id"], ["id"])',
     "constraint-missing-not-valid"),
    ('op.create_unique_constraint("uq", "orders", ["note"])', "disallowed-unique-constraint"),
    ('op.execute("REINDEX TABLE orders")', "require-concurrent-reindex"),
    ('op.execute("LOCK TABLE orders")', "takes-the-table"),
    ('op.execute("CLUSTER orders USING ix_orders_placed_at_id")', "takes-the-table"),
    ("op.execute(\"UPDATE orders SET note = ''\")", "many-rows-at-once"),
    ('op.execute("INSERT INTO users (email) SELECT email FROM orders")', "many-rows-at-once"),
]  # fmt: skip

HARMLESS = [
    'op.add_column("orders", sa.Column("a", sa.BigInteger))',
    'op.add_column("orders", sa.Column("a", sa.Integer, server_default="0", nullable=False))',
    'op.execute("ALTER TABLE orders ADD CONSTRAINT ck CHECK (total > 0) NOT VALID")',
    'op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck")',
    """
    op.create_table("taxes", sa.Column("id", sa.BigInteger, primary_key=True), sa.Column("a", sa.Text))
    op.create_index("ix_taxes_a", "taxes", ["a"])
    """,
    """
    from migrations import online
    online.create_index("ix_orders_note", "orders", ["note"])
    """,
    """
    from migrations import online
    online.drop_index("ix_orders_note", "orders")
    """,
]


@pytest.fixture
def rules(tmp_path: Path):
    """Which rules a migration with these statements breaks."""
    (tmp_path / "versions").mkdir()

    def write(name: str, after: str | None, body: str, facts: str = "") -> None:
        lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
        (tmp_path / "versions" / f"{name}.py").write_text(
            "import sqlalchemy as sa\nfrom alembic import op\n"
            f"revision, down_revision = {name!r}, {after!r}\n{facts}\n"
            f"def upgrade():\n{lines}\n"
        )

    def find(body: str, facts: str = "") -> set[str]:
        write("old", None, 'op.drop_table("of_no_interest")')
        write("new", "old", body, facts)
        return {broken.rule for broken in check.broken_rules(tmp_path, "old")}

    return find


@pytest.mark.parametrize(("body", "rule"), LOCKING)
def test_what_locks_or_breaks_is_found(rules, body, rule):
    assert rule in rules(body)


@pytest.mark.parametrize("body", HARMLESS)
def test_what_keeps_nobody_waiting_passes(rules, body):
    assert rules(body) == set()


def test_what_no_server_reads_may_be_dropped_by_who_says_so(rules):
    contract = 'contract = "old"'

    assert rules('op.drop_column("orders", "note")', contract) == set()
    assert rules('op.rename_table("orders", "sales")', contract) == {"renaming-table"}


@pytest.mark.parametrize("named", ["True", "'new'", "'0042'"])
def test_a_contracting_migration_names_since_when_nobody_reads_what_it_drops(rules, named):
    broken = rules('op.drop_column("orders", "note")', f"contract = {named}")

    assert broken == {"contract-names-no-migration"}


def test_a_rule_may_be_broken_for_a_reason(rules):
    reason = 'accepted = {"takes-the-table": "it is empty"}'

    assert rules('op.execute("TRUNCATE orders")', reason) == set()


def test_a_constraint_is_not_validated_where_it_is_added(rules):
    both = """
    op.execute("ALTER TABLE orders ADD CONSTRAINT ck CHECK (total > 0) NOT VALID")
    op.execute("ALTER TABLE orders VALIDATE CONSTRAINT ck")
    """

    assert rules(both) == {"constraint-missing-not-valid"}


def test_the_migrations_of_the_shop_keep_the_rules():
    assert list(check.broken_rules(ROOT / "migrations", check.OLD)) == []


LOCK_ORDER = ("users", "carts", "orders", "products", "variants")


def test_migrations_lock_tables_in_the_order_in_which_the_shop_locks_rows(monkeypatch):
    """An order that holds its customer's row and needs the table of orders would otherwise deadlock with
    a migration that holds that table and waits for the customers'."""
    monkeypatch.syspath_prepend(ROOT)
    scripts = ScriptDirectory(str(ROOT / "migrations")).iterate_revisions("heads", check.OLD)
    wrong = {}
    for script in scripts:
        tables = re.findall(
            r"^(?:ALTER TABLE|CREATE TRIGGER .* ON) (\w+)", check.as_sql(script), re.M
        )
        locked = [table for table in dict.fromkeys(tables) if table in LOCK_ORDER]
        if locked != sorted(locked, key=LOCK_ORDER.index):
            wrong[script.revision] = locked

    assert wrong == {}

"""The audit trail and the stock ledger: rows are added, and never changed or deleted."""

import pytest
from sqlalchemy import create_engine, delete, insert, text, update
from sqlalchemy.exc import DBAPIError

from app.db import database_roles
from app.db.database_roles import APPEND_ONLY
from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import AuditEvent, StockMovement
from app.models.catalogue import ERASED_REASON
from app.services.inventory import inventory_service
from tests import factories
from tests.integration.people import inside, rows
from tests.integration.shopping import order

MODELS = {"audit_events": AuditEvent, "stock_movements": StockMovement}
REFUSAL = r"never changed|permission denied"


@pytest.fixture
def history(app, admin):
    """A trail and a ledger of one entry each, the latter with a reason that names somebody."""
    product = inside(app, factories.product)
    path = f"/api/products/{product.id}/stock"
    reason = {"delta": 2, "reason": "brought back by Pat Lee"}
    assert admin.post(path, json=reason).status_code == 200
    before = {table: rows(app, model) for table, model in MODELS.items()}
    assert all(before.values())
    return before


def refuse(app, statement):
    """Run a statement under the shop's own role, and see it refused."""
    with app.app_context(), pytest.raises(DBAPIError, match=REFUSAL):
        in_transaction(lambda: db.session.execute(statement))


def unchanged(app, history):
    def plain(row):
        return {column.name: getattr(row, column.name) for column in row.__table__.columns}

    now = {table: rows(app, model) for table, model in MODELS.items()}
    return all([*map(plain, now[table])] == [*map(plain, history[table])] for table in MODELS)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_no_row_is_changed_deleted_or_replaced(app, history, table):
    model = MODELS[table]
    row = history[table][-1]

    refuse(app, update(model).values(user_id=None))
    refuse(app, update(model).where(model.id == row.id).values(at=row.at.replace(year=2000)))
    refuse(app, delete(model))
    refuse(app, delete(model).where(model.id == row.id))

    assert unchanged(app, history)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_no_row_is_replaced_by_an_insert(app, history, table):
    row = history[table][-1]
    values = {c.name: getattr(row, c.name) for c in row.__table__.columns}

    refuse(app, insert(MODELS[table]).prefix_with("OR REPLACE").values({**values, "user_id": None}))

    assert unchanged(app, history)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    [
        "TRUNCATE {}",
        "TRUNCATE variants, {} CASCADE",
        "DROP TABLE {}",
        "ALTER TABLE {} DISABLE TRIGGER USER",
        "ALTER TABLE {} DISABLE TRIGGER ALL",
        "DROP TRIGGER {0}_stay ON {0}",
        "DROP TRIGGER {0}_no_truncate ON {0}",
        "ALTER TABLE {} OWNER TO CURRENT_USER",
        "CREATE RULE away AS ON INSERT TO {} DO INSTEAD NOTHING",
        "CREATE TRIGGER away BEFORE INSERT ON {0} EXECUTE FUNCTION {0}_stay()",
        "CREATE OR REPLACE FUNCTION {}_stay() RETURNS trigger LANGUAGE plpgsql"
        " AS $$ BEGIN RETURN NEW; END $$",
        "SET session_replication_role = replica",
    ],
)
def test_the_shops_role_cannot_get_around_it(app, history, table, statement):
    with app.app_context(), pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
        in_transaction(lambda: db.session.execute(text(statement.format(table))))

    assert unchanged(app, history)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_shops_role_cannot_grant_itself_more(app, history, table):
    grant = text(f"GRANT UPDATE, DELETE ON {table} TO CURRENT_USER")  # PostgreSQL only warns

    inside(app, lambda: in_transaction(lambda: db.session.execute(grant)))

    refuse(app, update(MODELS[table]).values(user_id=None))
    assert unchanged(app, history)


@pytest.mark.only_on("postgresql")
@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize(
    "statement",
    ["TRUNCATE {}", "TRUNCATE variants, {} CASCADE", "DELETE FROM {}", "UPDATE {} SET user_id = 1"],
)
def test_triggers_refuse_the_owner_as_well(app, history, table, statement):
    """Where DATABASE_OWNER_URL isn't set, the shop is the owner."""
    with app.app_context(), database_roles.owner_engine().connect() as connection:
        with pytest.raises(DBAPIError, match="never changed"):
            connection.exec_driver_sql(statement.format(table))
        connection.rollback()

    assert unchanged(app, history)


@pytest.mark.only_on("postgresql")
def test_emptying_a_table_that_the_ledger_refers_to_is_refused_too(app, history):
    with app.app_context(), database_roles.owner_engine().connect() as connection:
        with pytest.raises(DBAPIError, match="never changed"):
            connection.exec_driver_sql("TRUNCATE variants CASCADE")
        connection.rollback()

    assert unchanged(app, history)


def test_a_reason_that_names_a_person_is_erased_and_nothing_else(app, history):
    last = history["stock_movements"][-1]

    inside(app, lambda: in_transaction(lambda: inventory_service.erase_reasons([last.id])))

    now = rows(app, StockMovement)[-1]
    assert now.reason == ERASED_REASON
    assert (now.variant_id, now.on_hand_delta, now.user_id, now.at) == (
        last.variant_id, last.on_hand_delta, last.user_id, last.at
    )  # fmt: skip
    assert "0 violations" in app.test_cli_runner().invoke(args=["audit"]).stdout


def test_a_reason_is_not_replaced_by_other_words(app, history):
    refuse(app, update(StockMovement).values(reason="counted"))
    refuse(app, update(StockMovement).values(reason=ERASED_REASON, on_hand_delta=99))

    assert unchanged(app, history)


def test_the_reason_of_an_orders_movement_stays(app, customer):
    placed = order(customer, inside(app, factories.product)).json
    (moved,) = (row for row in rows(app, StockMovement) if row.order_id == placed["id"])

    inside(app, lambda: in_transaction(lambda: inventory_service.erase_reasons([moved.id])))
    refuse(app, update(StockMovement).where(StockMovement.id == moved.id).values(reason="erased"))

    assert rows(app, StockMovement)[-1].reason == moved.reason


@pytest.mark.only_on("sqlite")
def test_other_programs_meet_the_same_triggers(app, history, environ):
    engine = create_engine(environ["DATABASE_URL"])
    for table in APPEND_ONLY:
        for statement in (
            f"DELETE FROM {table}",
            f"UPDATE OR REPLACE {table} SET id = 1",
            f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}",
        ):
            with engine.connect() as connection, pytest.raises(DBAPIError, match="never changed"):
                connection.exec_driver_sql(statement)
    engine.dispose()

    assert unchanged(app, history)

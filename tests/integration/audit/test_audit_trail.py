"""Who changed what: noted by every door, never changed again, never of anything personal."""

import json
from collections import Counter

import pytest
from sqlalchemy import delete, update
from sqlalchemy.exc import DBAPIError

from app.db.database_roles import as_owner
from app.domain.people.actor import Actor
from app.errors import Invalid
from app.extensions import db
from app.models import AuditEvent, Category
from app.services.audit import trail
from app.services.audit.events import newest_first
from tests import factories
from tests.factories import PASSWORD
from tests.integration.people import inside, make_user, rows
from tests.integration.shopping import move, order


def events(app):
    """Each event as its action and its changes."""
    return [(event.action, event.changes) for event in rows(app, AuditEvent)]


def test_a_product_is_followed_from_its_making_to_its_end(app, admin):
    made = admin.post("/api/products", json={"name": "Lamp", "price": "10.00", "stock": 3}).json
    path, variant = f"/api/products/{made['id']}", made["variants"][0]["id"]
    admin.patch(path, json={"price": "12.50", "name": "Desk lamp"})
    admin.delete(path)

    created, edited, deleted = rows(app, AuditEvent)
    assert created.action == "product.created"
    assert created.changes["name"] == [None, "Lamp"]
    assert created.changes[f"variants.{variant}.on_hand"] == [None, 3]
    assert edited.changes == {
        "name": ["Lamp", "Desk lamp"],
        f"variants.{variant}.price": [1000, 1250],
    }
    assert deleted.action == "product.deleted"
    assert deleted.changes["name"] == ["Desk lamp", None]
    assert {(event.subject, event.subject_id) for event in (created, edited, deleted)} == {
        ("product", made["id"])
    }


def test_who_and_by_which_door_is_noted(app, admin):
    admin.post("/api/categories", json={"name": "Lamps"})

    (event,) = rows(app, AuditEvent)
    assert (event.user_id, event.door) == (admin.user_id, "api")


def test_a_category_is_followed_too(app, admin):
    path = f"/api/categories/{admin.post('/api/categories', json={'name': 'Lamps'}).json['id']}"
    admin.patch(path, json={"position": 4})
    admin.delete(path)

    actions = events(app)
    assert [action for action, _ in actions] == [
        "category.created",
        "category.edited",
        "category.deleted",
    ]
    assert actions[1][1] == {"position": [0, 4]}


def test_a_correction_of_stock_tells_both_figures(app, admin):
    with app.app_context():
        product = factories.product(stock=5)
        variant_id = product.variants[0].id
    admin.post(f"/api/products/{product.id}/stock", json={"delta": 2, "reason": "counted"})

    (event,) = rows(app, AuditEvent)
    assert (event.subject, event.subject_id) == ("variant", variant_id)
    assert event.changes == {"on_hand": [5, 7]}


def test_staff_moving_an_order_is_noted_and_a_customer_cancelling_is_not(app, admin, customer):
    with app.app_context():
        product = factories.product()
    placed = order(customer, product).json
    move(admin, placed, "processing")
    customer.post(f"/api/orders/{placed['number']}/cancel")

    assert events(app) == [("order.status_changed", {"status": ["pending", "processing"]})]


def test_roles_and_deactivations_are_noted_without_anything_personal(app, admin, customer):
    admin.patch(f"/api/users/{customer.user_id}", json={"role": "admin", "is_active": False})

    (event,) = rows(app, AuditEvent)
    assert event.subject_id == customer.user_id
    assert event.changes == {"role": ["customer", "admin"], "is_active": [True, False]}


def test_staff_who_leave_are_noted_and_customers_are_not(app, admin, customer):
    make_user(app, email="another@example.com", role="admin")
    for leaving in (customer, admin):
        assert leaving.delete("/api/users/me", json={"password": PASSWORD}).status_code == 204

    (event,) = rows(app, AuditEvent)
    assert (event.user_id, event.action) == (admin.user_id, "user.deleted")
    assert event.subject_id == admin.user_id
    assert event.changes == {"role": ["admin", None], "is_active": [True, None]}


def test_the_command_line_leaves_its_traces(app):
    shell = app.test_cli_runner()
    shell.invoke(args=["create-admin", "boss@example.com", "correct horse battery"])
    shell.invoke(args=["create-admin", "boss@example.com", "another horse battery", "--promote"])

    created, password = rows(app, AuditEvent)
    assert (created.action, created.user_id, created.door) == ("user.created", None, "cli")
    assert password.changes == {"password": [None, "set"]}
    assert "boss" not in json.dumps([created.changes, password.changes])


def test_an_import_tells_what_each_row_changed_and_how_many_it_made(app, tmp_path):
    with app.app_context():
        product = factories.product(price=1000, stock=4, sku="OLD")
        variant_id = product.variants[0].id
    sheet = tmp_path / "products.csv"
    sheet.write_text(f"sku,name,price,stock\nOLD,{product.name},11.00,4\nNEW,Vase,5.00,1\n")
    result = app.test_cli_runner().invoke(args=["import-products", str(sheet)])

    assert result.exit_code == 0, result.output
    reference = result.stdout.partition("flask undo-import ")[2].split()[0]
    assert {event.subject_id: event.changes for event in rows(app, AuditEvent)} == {
        product.id: {f"variants.{variant_id}.price": [1000, 1100], "import": [None, reference]},
        None: {"products": [None, 1], "import": [None, reference]},
    }


def test_categories_that_an_import_makes_are_followed_too(app, tmp_path):
    sheet = tmp_path / "products.csv"
    sheet.write_text("sku,name,price,category\nNEW,Vase,5.00,Home > Vases\n")
    app.test_cli_runner().invoke(args=["import-products", str(sheet)])

    home, vases = rows(app, Category)
    made = [event for event in rows(app, AuditEvent) if event.action == "category.created"]
    assert [event.subject_id for event in made] == [home.id, vases.id]
    assert made[1].changes["name"] == [None, "Vases"]
    assert made[1].changes["parent_id"] == [None, home.id]
    assert {(event.user_id, event.door) for event in made} == {(None, "cli")}


def test_an_import_that_changes_nothing_leaves_no_trace(app, tmp_path):
    with app.app_context():
        product = factories.product(price=1000, sku="OLD")
    sheet = tmp_path / "products.csv"
    sheet.write_text(f"sku,name,price\nOLD,{product.name},10.00\n")
    app.test_cli_runner().invoke(args=["import-products", str(sheet)])

    assert events(app) == []


@pytest.mark.parametrize("body", [{}, {"price": "1.999"}, {"sku": "TAKEN"}])
def test_what_was_refused_or_changed_nothing_is_not_noted(app, admin, body):
    with app.app_context():
        factories.product(sku="TAKEN")
        product = factories.product()
    admin.patch(f"/api/products/{product.id}", json=body)

    assert events(app) == []


@pytest.mark.parametrize("statement", [update(AuditEvent).values(door="cli"), delete(AuditEvent)])
def test_the_database_refuses_to_change_or_forget_an_event(app, admin, statement):
    admin.post("/api/categories", json={"name": "Lamps"})

    with app.app_context(), as_owner(), pytest.raises(DBAPIError, match="never changed"):
        db.session.execute(statement, execution_options={"shop_writes": True})

    assert len(events(app)) == 1


def test_the_trail_survives_the_emptying_of_the_shop(app, admin):
    admin.post("/api/categories", json={"name": "Lamps"})
    app.test_cli_runner().invoke(args=["seed-db", "--reset", "--yes"])

    assert [action for action, _ in events(app)][:2] == ["category.created", "shop.emptied"]


def test_a_demo_shop_leaves_its_trace_once(app):
    for _ in range(2):
        assert app.test_cli_runner().invoke(args=["seed-db"]).exit_code == 0

    seeded, settings, *prices = events(app)
    assert seeded == ("shop.seeded", {"demo": [None, "planted"]})
    assert settings[0] == "settings.edited"
    assert Counter(action for action, _ in prices) == {
        "tax_rate.created": 4,
        "shipping_zone.created": 3,
        "shipping_method.created": 4,
        "promotion.created": 1,
        "promotion.codes_added": 1,
    }


def test_the_trail_is_listed_newest_first_by_subject_and_by_person(app):
    ann, bob = Actor("admin", user_id=1), Actor("admin", user_id=2)
    with app.app_context():
        trail.record(ann, "product.edited", 7, {"name": "A"}, {"name": "B"})
        trail.record(bob, "product.edited", 7, {"name": "B"}, {"name": "C"})
        trail.record(bob, "category.edited", 7, {"name": "D"}, {"name": "E"})
        db.session.commit()

    def listed(**wanted):
        page = inside(app, newest_first, AuditEvent, 1, 20, **wanted)
        return [event.changes["name"][1] for event in page.items]

    assert listed() == ["E", "C", "B"]
    assert listed(subject="product", subject_id=7) == ["C", "B"]
    assert listed(user_id=1) == ["B"]
    with app.app_context(), pytest.raises(Invalid):
        newest_first(AuditEvent, 1001, 100)

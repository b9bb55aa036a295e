"""The audit trail in the staff's browser: who changed what, when, before and after."""

import pytest

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import SYSTEM, Actor
from app.extensions import db
from app.models import User
from app.services import user_service
from app.services.audit import trail
from tests import factories
from tests.integration.browsing import links
from tests.integration.people import inside
from tests.integration.shopping import move, order, statements_for
from tests.integration.staff import signed_in_staff

STAFF = "staff@example.com"
TRAIL = "/admin/audit-trail"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app, STAFF)


@pytest.fixture
def record(app):
    """Note a change: who, action, id, before, after."""

    def note(actor, *facts):
        inside(app, lambda: in_transaction(lambda: trail.record(actor, *facts)))

    return note


def test_a_changed_product_is_told_with_money_names_and_a_link(app, staff, admin):
    old, new = (
        inside(app, factories.category, name="Old"),
        inside(app, factories.category, name="New"),
    )
    mug = inside(app, factories.product, name="Red mug", price=1250, category_id=old.id)
    admin.patch(f"/api/products/{mug.id}", json={"price": "15.00", "category_id": new.id})

    page = staff.get(TRAIL).text

    assert "<del>$12.50</del> → <ins>$15.00</ins>" in page
    assert "<del>Old</del> → <ins>New</ins>" in page
    assert f"variant {mug.variants[0].id}: price" in page
    assert f'<a href="/admin/products/{mug.id}">Red mug</a>' in page
    assert f"/admin/customers/{admin.user_id}" in links(page)
    assert '<span class="faint">API</span>' in page


def test_orders_stock_and_categories_lead_to_their_pages(app, staff, admin, customer):
    mug = inside(app, factories.product)
    placed = order(customer, mug).json
    move(admin, placed, "processing")
    admin.post(f"/api/products/{mug.id}/stock", json={"delta": 2, "reason": "counted"})
    category = admin.post("/api/categories", json={"name": "Cups"}).json

    found = links(staff.get(TRAIL).text)

    assert f"/admin/orders/{placed['id']}" in found
    assert f"/admin/products/{mug.id}/stock" in found
    assert f"/admin/categories/{category['id']}" in found


def test_what_is_gone_keeps_its_name_but_has_no_page(app, staff, admin):
    mug = inside(app, factories.product, name="Red mug")
    admin.delete(f"/api/products/{mug.id}")

    page = staff.get(TRAIL).text

    assert "Product " + str(mug.id) + " deleted" in page
    assert f"/admin/products/{mug.id}" not in links(page)
    assert "<del>Red mug</del> → <ins>nothing</ins>" in page


def test_who_is_gone_is_known_by_the_id_alone(app, staff, admin, record):
    record(Actor("admin", admin.user_id), "product.edited", 7, {"name": "A"}, {"name": "B"})

    def leave():
        user_service.erase(db.session.get(User, admin.user_id))

    inside(app, lambda: in_transaction(leave))
    page = staff.get(TRAIL).text

    assert f"user {admin.user_id}" in page
    assert f"/admin/customers/{admin.user_id}" not in links(page)


def test_commands_are_the_systems(app, staff, record):
    record(SYSTEM, "shop.emptied", None, {}, {"everything": "deleted"})

    page = staff.get(TRAIL).text

    assert "the system" in page
    assert "Command line" in page
    assert "Shop emptied" in page


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("is_active", True, "yes"),
        ("on_hand", 12000, "12,000"),
        ("compare_at_price", 99900, "$999.00"),
        ("category_id", 77, "category 77"),
        ("options", {"Size": "M", "Colour": "Red"}, "Size: M, Colour: Red"),
        ("options", [{"name": "Size", "values": ["S", "M"]}], "Size: S, M"),
        ("images", [{"id": "a"}], "1 picture"),
        ("images", [{"id": "a"}, {"id": "b"}], "2 pictures"),
        ("tags", ["<b>", 1.5], "&lt;b&gt;, 1.5"),
        ("description", "x" * 400, "x" * 300 + "…"),
    ],
)
def test_values_are_told_in_words(staff, record, name, value, told):
    record(SYSTEM, "product.edited", 7, {name: value}, {})

    assert f"<del>{told}</del> → <ins>nothing</ins>" in staff.get(TRAIL).text


def test_the_trail_is_asked_by_subject_id_and_person(app, staff, admin, record):
    record(Actor("admin", admin.user_id), "product.edited", 1, {"name": "A"}, {"name": "one"})
    record(Actor("admin", admin.user_id), "product.edited", 2, {"name": "A"}, {"name": "two"})
    record(SYSTEM, "category.edited", 1, {"name": "A"}, {"name": "three"})
    email = inside(app, lambda: user_service.get_user(admin.user_id).email)

    def told(query):
        page = staff.get(f"{TRAIL}?{query}").text
        return {word for word in ("one", "two", "three") if f"<ins>{word}</ins>" in page}

    assert told("") == told("subject=king&id=x") == {"one", "two", "three"}
    assert told("subject=product") == told(f"person={email}") == {"one", "two"}
    assert told("subject=product&id=1") == told(f"person={admin.user_id}&id=1") == {"one"}
    assert told("id=1") == {"one", "three"}
    assert told("person=nobody@example.com") == told("person=99999") == set()
    assert told("person=" + "9" * 30) == set()
    assert "No change fits." in staff.get(f"{TRAIL}?subject=order").text


def test_a_long_trail_has_pages_of_the_same_cost(app, staff, record):
    record(SYSTEM, "product.edited", 1, {"name": "A"}, {"name": "B"})
    before = statements_for(app, lambda: staff.get(f"{TRAIL}?subject=product"))
    for number in range(2, 53):
        record(SYSTEM, "product.edited", number, {"name": "A"}, {"name": f"name {number}"})

    after = statements_for(app, lambda: staff.get(f"{TRAIL}?subject=product"))
    newest, oldest = (staff.get(f"{TRAIL}?subject=product&page={n}").text for n in (1, 2))

    assert after == before
    assert "52 changes" in newest
    assert "52 changes" in staff.get(TRAIL).text
    assert f"{TRAIL}?subject=product&page=2" in links(newest)
    assert "name 52" in newest
    assert "<ins>B</ins>" in oldest

"""Customers in the staff's browser: found, looked at, let in or not, made staff."""

import pytest

from app.extensions import db
from app.models import Session, User
from app.services.accounts import customer_service
from tests import factories
from tests.integration.browsing import links
from tests.integration.conftest import Caller
from tests.integration.people import EMAIL, inside, make_user, rows, signed_in_as
from tests.integration.shopping import ADDRESS, order, statements_for
from tests.integration.staff import signed_in_staff

STAFF = "staff@example.com"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app, STAFF, first_name="Sam", last_name="Staff")


@pytest.fixture
def ann(app):
    return make_user(app, first_name="Ann", last_name="Lee")


def page_of(user):
    return f"/admin/customers/{user.id}"


def account(app, user):
    return inside(app, lambda: db.session.get(User, user.id))


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", {"ann", "bob", "staff"}),
        ("q=ANN", {"ann"}),
        ("q=lee", {"ann"}),
        ("role=admin", {"staff"}),
        ("is_active=false", {"bob"}),
        ("is_active=true&role=customer", {"ann"}),
        ("q=nobody", set()),
        ("role=king&is_active=perhaps&page=x", {"ann", "bob", "staff"}),
    ],
)
def test_accounts_are_found_by_email_name_role_and_standing(app, staff, ann, query, found):
    make_user(app, email="bob@example.com", is_active=False)

    page = staff.get(f"/admin/customers?{query}").text

    assert {name for name in ("ann", "bob", "staff") if f"{name}@example.com</a>" in page} == found
    assert ("No account fits." in page) == (not found)


def test_pages_of_a_list_keep_what_was_asked_for_and_nothing_else(app, staff):
    for number in range(26):
        make_user(app, email=f"one{number}@example.com")

    page = staff.get("/admin/customers?q=one&role=customer&endpoint=x&_scheme=y").text

    assert "/admin/customers?q=one&role=customer&page=2" in links(page)
    assert "one0@example.com" in staff.get("/admin/customers?q=one&role=customer&page=2").text


def test_an_account_shows_its_figures_and_orders(app, staff, ann):
    mug = inside(app, factories.product, price=1400, stock=9)
    caller = signed_in_as(app)
    kept, cancelled = order(caller, mug, 2).json, order(caller, mug).json
    caller.post(f"/api/orders/{cancelled['number']}/cancel")
    caller.post("/api/users/me/addresses", json=ADDRESS)

    page = staff.get(page_of(ann)).text
    figures = inside(app, customer_service.figures, ann.id)

    assert (figures.orders, figures.revenue, figures.addresses) == (2, 2800, 1)
    assert figures.last_order_at is not None
    assert "Ann Lee" in page
    assert {f"/admin/orders/{placed['number']}" for placed in (kept, cancelled)} <= set(links(page))


def test_an_account_without_orders_says_so(staff, ann):
    assert "No order yet." in staff.get(page_of(ann)).text


def test_many_orders_have_pages(app, staff, ann):
    mug = inside(app, factories.product, stock=99)
    caller = signed_in_as(app)
    for _ in range(11):
        order(caller, mug)

    assert f"{page_of(ann)}?page=2" in links(staff.get(page_of(ann)).text)
    assert "Page 2 of 2" in staff.get(f"{page_of(ann)}?page=2").text


def test_a_deactivated_account_is_signed_out_and_can_come_back(app, staff, ann):
    theirs = signed_in_as(app)

    staff.get(page_of(ann))
    response = staff.send(page_of(ann), is_active="false")
    page = staff.follow(response).text

    assert not account(app, ann).is_active
    assert theirs.get("/api/users/me").status_code == 401
    assert all(row.ended_at for row in rows(app, Session) if row.user_id == ann.id)
    assert "This account is deactivated" in page

    staff.send(page_of(ann), is_active="true")

    assert account(app, ann).is_active


def test_a_role_is_given_and_the_trail_says_by_whom(app, staff, ann):
    staff.get(page_of(ann))
    staff.send(page_of(ann), role="admin")
    page = staff.get("/admin/audit-trail?subject=user").text

    assert account(app, ann).role == "admin"
    assert f"User {ann.id} edited" in page
    assert f">{STAFF}</a>" in page
    assert "Pages" in page


def test_the_last_admin_stays_and_is_told_why(app, staff):
    me = next(row for row in rows(app, User) if row.email == STAFF)

    staff.get(page_of(me))
    demoted = staff.send(page_of(me), role="customer")
    deactivated = staff.send(page_of(me), is_active="false")

    for response in (demoted, deactivated):
        assert response.status_code == 409
        assert "This is the last active admin; make another one first." in response.text
    assert (account(app, me).role, account(app, me).is_active) == ("admin", True)


@pytest.mark.parametrize("sent", [{"role": "king"}, {"is_active": "perhaps"}])
def test_what_is_no_role_or_standing_is_refused(app, staff, ann, sent):
    staff.get(page_of(ann))

    assert staff.send(page_of(ann), **sent).status_code == 422
    assert (account(app, ann).role, account(app, ann).is_active) == ("customer", True)


@pytest.mark.parametrize("number", [0, 999_999, 2**63, 10**30])
def test_who_is_not_there_is_not_found(staff, number):
    assert staff.get(f"/admin/customers/{number}").status_code == 404


def test_a_deleted_account_is_not_found_any_more(app, staff, ann):
    caller: Caller = signed_in_as(app, EMAIL)
    caller.delete("/api/users/me", json={"password": factories.PASSWORD})

    assert staff.get(page_of(ann)).status_code == 404
    assert EMAIL not in staff.get("/admin/customers").text


def test_a_page_costs_the_same_however_long_its_lists_are(app, staff, ann):
    mug = inside(app, factories.product, stock=99)
    caller = signed_in_as(app)
    order(caller, mug)
    paths = ("/admin/customers", page_of(ann))
    before = [statements_for(app, lambda path=path: staff.get(path)) for path in paths]
    for number in range(5):
        order(caller, mug)
        make_user(app, email=f"more{number}@example.com")
    after = [statements_for(app, lambda path=path: staff.get(path)) for path in paths]

    assert after == before

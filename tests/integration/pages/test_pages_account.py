"""The account on the pages: one's own orders, addresses, name, password, and leaving."""

import re
from typing import Any

import pytest
from flask import Flask

from app.models import Address, Order, Session, User
from tests import factories
from tests.factories import PASSWORD
from tests.integration.browsing import Browser, hidden_fields, links
from tests.integration.conftest import signed_in
from tests.integration.people import EMAIL, make_user, only_row, rows, signed_in_as
from tests.integration.shopping import ADDRESS, move, order, stock

NEW_PASSWORD = "another good one"


@pytest.fixture
def ann(app: Flask) -> Browser:
    """A browser in which Ann is signed in."""
    make_user(app, first_name="Ann", last_name="Lee")
    browser = Browser(app)
    browser.sign_in(EMAIL)
    return browser


@pytest.fixture
def mug(app: Flask) -> Any:
    with app.app_context():
        return factories.product(name="Mug", price=1400, stock=5)


@pytest.mark.parametrize(
    "path",
    ["/account", "/account/orders", "/account/addresses", "/account/addresses/new",
     "/account/addresses/1", "/account/profile", "/account/password", "/account/close"],
)  # fmt: skip
def test_nobody_gets_in_without_signing_in(app, path):
    response = Browser(app).get(path)

    assert response.status_code == 303
    assert response.headers["Location"] == f"/login?next={path}"


def test_the_account_greets_and_shows_the_latest_orders(app, ann, mug):
    placed = order(signed_in_as(app), mug).json

    html = ann.get("/account").text

    assert "Hello, Ann" in html
    assert f"/orders/{placed['number']}" in links(html)


def test_orders_are_ones_own_even_for_staff(app, mug):
    order(signed_in(app), mug)
    make_user(app, role="admin")
    browser = Browser(app)
    browser.sign_in(EMAIL)

    assert "You have not ordered anything yet." in browser.get("/account/orders").text


def test_many_orders_have_pages(app, ann, mug):
    caller = signed_in_as(app)
    with app.app_context():
        plenty = factories.product(stock=100)
    for _ in range(11):
        order(caller, plenty)

    first, second = ann.get("/account/orders").text, ann.get("/account/orders?page=2").text

    assert len(set(re.findall(r"/orders/SW-[^\"]+", first))) == 10
    assert len(set(re.findall(r"/orders/SW-[^\"]+", second))) == 1
    assert "Page 2 of 2" in second


@pytest.mark.parametrize("page", ["0", "x", "99999999", "9" * 30])
def test_a_page_of_orders_that_is_none_is_no_mistake(ann, page):
    assert ann.get(f"/account/orders?page={page}").status_code == 200


def test_an_order_shows_its_lines_and_its_history(app, ann, mug, admin):
    placed = order(signed_in_as(app), mug, 2, shipping_address=ADDRESS).json
    move(admin, placed, "processing", "shipped")

    html = ann.get(f"/orders/{placed['number']}").text

    assert "$28.00" in html
    assert re.findall(r"<strong>(Placed|Processing|Shipped)</strong>", html) == [
        "Placed", "Processing", "Shipped",
    ]  # fmt: skip
    assert "United Kingdom" in html
    assert "Cancel the order" not in html


def test_an_order_can_be_cancelled_once(app, ann, mug):
    placed = order(signed_in_as(app), mug, 2).json
    path = f"/orders/{placed['number']}"
    ann.get(path)
    page = ann.page

    first = ann.send(f"{path}/cancel")
    assert "The order is cancelled." in ann.follow(first).text
    ann.page = page
    second = ann.send(f"{path}/cancel")

    assert "cannot become cancelled" in ann.follow(second).text
    assert stock(app, mug) == (5, 0)


def test_anothers_order_is_neither_seen_nor_cancelled(app, ann, mug):
    placed = order(signed_in(app), mug).json
    token = hidden_fields(ann.get("/account/profile").text)

    assert ann.get(f"/orders/{placed['number']}").status_code == 404
    cancelled = ann.client.post(f"/orders/{placed['number']}/cancel", data=token)

    assert cancelled.status_code == 404
    assert only_row(app, Order).status == "pending"


def test_a_name_is_changed(app, ann):
    assert 'value="Ann"' in ann.get("/account/profile").text

    response = ann.send("/account/profile", first_name="Anna", last_name="")

    assert "Hello, Anna" in ann.follow(response).text
    assert only_row(app, User).last_name == ""


def test_a_name_that_is_too_long_is_told_beside_its_field(ann):
    ann.get("/account/profile")

    response = ann.send("/account/profile", first_name="x" * 101)

    assert response.status_code == 422
    assert '<small id="first_name-said">Between 0 and 100 characters.' in response.text


def test_a_new_password_ends_all_other_sessions(app, ann):
    other = Browser(app)
    other.sign_in(EMAIL)
    ann.get("/account/password")

    response = ann.send("/account/password", current_password=PASSWORD, new_password=NEW_PASSWORD)

    assert "Your password is changed." in ann.follow(response).text
    assert other.get("/account").status_code == 303
    assert other.sign_in(EMAIL, NEW_PASSWORD).status_code == 303


def test_a_new_password_is_not_the_own_address_or_the_shops_name(app, ann):
    for password in (EMAIL, "ShopSwift-26!"):
        ann.get("/account/password")

        response = ann.send("/account/password", current_password=PASSWORD, new_password=password)

        assert response.status_code == 422
        assert "It consists of your name, your address" in response.text


def test_without_the_present_password_there_is_no_new_one(app, ann):
    ann.get("/account/password")

    response = ann.send("/account/password", current_password="x", new_password=NEW_PASSWORD)

    assert response.status_code == 422
    assert "This is not your password." in response.text
    assert Browser(app).sign_in(EMAIL).status_code == 303


def test_an_account_is_deleted_and_its_browser_forgets_it(app, ann):
    ann.get("/account/close")

    response = ann.send("/account/close", password=PASSWORD)

    assert "Your account is deleted." in ann.follow(response).text
    assert ann.cookie("sign_in") is None
    assert only_row(app, User).email is None
    assert all(session.ended_at for session in rows(app, Session))


def test_an_account_is_deleted_by_its_owner_only(app, ann):
    ann.get("/account/close")

    response = ann.send("/account/close", password="not mine")

    assert response.status_code == 422
    assert "This is not your password." in response.text
    assert only_row(app, User).email == EMAIL


def test_the_last_admin_stays(app):
    make_user(app, role="admin")
    browser = Browser(app)
    browser.sign_in(EMAIL)
    browser.get("/account/close")

    response = browser.send("/account/close", password=PASSWORD)

    assert response.status_code == 409
    assert "last active admin" in response.text


def test_an_address_is_added_changed_and_removed(app, ann):
    ann.get("/account/addresses/new")
    ann.follow(ann.send("/account/addresses/new", **ADDRESS))
    entry = only_row(app, Address)
    path = f"/account/addresses/{entry.id}"

    assert 'value="Leeds"' in ann.get(path).text
    ann.follow(ann.send(path, **{**ADDRESS, "city": "York"}))
    assert only_row(app, Address).city == "York"
    assert "York" in ann.get("/account/addresses").text
    ann.send(f"{path}/remove")
    assert rows(app, Address) == []


def test_an_address_with_something_wrong_is_shown_again(app, ann):
    ann.get("/account/addresses/new")

    response = ann.send("/account/addresses/new", **{**ADDRESS, "country": ""})

    assert response.status_code == 422
    assert 'id="country-said"' in response.text
    assert 'value="Leeds"' in response.text
    assert rows(app, Address) == []


def test_anothers_address_is_not_there(app, ann):
    other = signed_in(app)
    theirs = other.post("/api/users/me/addresses", json=ADDRESS).json["id"]
    token = hidden_fields(ann.get("/account/profile").text)
    path = f"/account/addresses/{theirs}"

    assert ann.get(path).status_code == 404
    assert ann.client.post(path, data={**token, **ADDRESS}).status_code == 404
    assert ann.client.post(f"{path}/remove", data=token).status_code == 404
    assert len(rows(app, Address)) == 1


@pytest.mark.parametrize("address", ["0", "x", "99999999999999999999"])
def test_what_is_no_address_is_not_there(ann, address):
    assert ann.get(f"/account/addresses/{address}").status_code == 404


def test_private_pages_are_kept_by_no_cache(ann):
    for path in ("/account", "/account/orders", "/cart", "/login"):
        assert ann.get(path).headers["Cache-Control"] == "no-store"

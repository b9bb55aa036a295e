"""What cannot be undone takes a second tap, also without JavaScript; and staff find their pages."""

import re
from typing import Any

import pytest
from flask import Flask

from app.models import Address, Order
from tests import factories
from tests.integration.browsing import Browser, form_of, links
from tests.integration.conftest import Caller
from tests.integration.people import EMAIL, inside, make_user, only_row, rows
from tests.integration.shopping import ADDRESS, fill
from tests.integration.staff import CLERK, signed_in_staff


@pytest.fixture
def mug(app: Flask) -> Any:
    return inside(app, factories.product, name="Mug", slug="mug", price=1400, stock=5)


@pytest.fixture
def ann(app: Flask) -> Browser:
    make_user(app)
    browser = Browser(app)
    browser.sign_in(EMAIL)
    return browser


@pytest.fixture
def clerk(app: Flask) -> Browser:
    return signed_in_staff(app)


def guest_order(app: Flask, mug: Any) -> str:
    guest = Caller(app)
    token = fill(guest, mug).headers["X-Cart-Token"]
    body = {"email": "g@example.com", "shipping_address": ADDRESS}
    number: str = guest.post("/api/orders", json=body, headers={"X-Cart-Token": token}).json[
        "number"
    ]
    return number


def asks(browser: Browser, path: str, action: str, label: str) -> bool:
    """Whether the form's button for this is out of sight until people have opened what asks them."""
    form = form_of(browser.get(path).text, action)
    assert form is not None, f"no form for {action}"
    hidden = re.findall(r'<details class="ask">.*?</details>', form, re.S)
    rest = re.sub(r'<details class="ask">.*?</details>', "", form, flags=re.S)
    return any(label in part and "<button" in part for part in hidden) and label not in rest


def test_customers_are_asked_before_anything_goes(app, ann, mug):
    ann.get("/products/mug")
    ann.send("/cart/items", quantity="1")
    ann.get("/account/addresses/new")
    ann.send("/account/addresses/new", **ADDRESS)
    address = f"/account/addresses/{only_row(app, Address).id}/remove"
    ann.get("/checkout")
    ann.follow(ann.send("/checkout", **ADDRESS))
    ann.send("/checkout/order")
    order = f"/orders/{only_row(app, Order).number}"

    assert asks(ann, order, f"{order}/cancel", "Cancel the order")
    assert asks(ann, "/account/addresses", address, "Remove")
    assert asks(ann, "/account", "/account/sign-out-everywhere", "Sign out everywhere")
    assert ann.send("/account/sign-out-everywhere").status_code == 303


def test_staff_are_asked_before_anything_goes(app, clerk, mug):
    number = guest_order(app, mug)
    user = make_user(app)
    order, customer = f"/admin/orders/{number}", f"/admin/customers/{user.id}"
    product = f"/admin/products/{mug.id}"

    assert asks(clerk, order, order, "Cancel it")
    assert asks(clerk, "/admin/orders", "/admin/orders?page=1", "Cancel the chosen ones")
    assert asks(clerk, product, f"{product}/on-sale", "Take it off sale")
    listed = clerk.get("/admin/guest-orders").text
    (release,) = re.findall(r'action="(/admin/guest-orders/release[^"]*)"', listed)
    assert asks(clerk, "/admin/guest-orders", release, "Release")
    html = clerk.get(customer).text
    assert re.search(r'<details class="ask">\s*<summary>Deactivate</summary>', html)


def test_the_chosen_orders_are_cancelled(app, clerk, mug):
    number = guest_order(app, mug)
    clerk.get("/admin/orders")

    clerk.send("/admin/orders?page=1", order=number, status="", cancel="1")

    assert [order.status for order in rows(app, Order)] == ["cancelled"]


def test_staff_find_their_pages_and_who_they_are(app, clerk):
    account = clerk.get("/account").text
    assert "/admin" in links(account)
    assert "/admin" in links(clerk.get("/").text)

    page = clerk.get("/admin")

    assert CLERK in page.text
    assert clerk.send("/logout").status_code == 303
    assert clerk.get("/admin").headers["Location"] == "/login?next=/admin"


def test_customers_and_guests_see_no_way_to_the_staffs_pages(app, ann):
    assert "/admin" not in links(ann.get("/account").text)
    assert "/admin" not in links(Browser(app).get("/").text)

"""The cart on the pages: forms that work without scripts, for guests and customers."""

import re
from typing import Any

import pytest
from flask import Flask

from app.models import Cart, CartLine
from tests import factories
from tests.integration.browsing import Browser, sell_out, variant_id
from tests.integration.conftest import signed_in
from tests.integration.people import EMAIL, change, inside, make_user, only_row, rows
from tests.integration.shopping import fill


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def mug(app: Flask) -> Any:
    with app.app_context():
        return factories.product(name="Mug", slug="mug", price=1400, stock=5)


def put_in(browser: Browser, slug: str = "mug", **fields: Any) -> Any:
    """Fill in the form on a product's page and send it."""
    browser.get(f"/products/{slug}")
    return browser.send("/cart/items", **{"quantity": "1", **fields})


def test_a_guest_puts_something_into_the_cart_and_sees_it(browser, mug):
    response = put_in(browser, quantity="2")

    assert (response.status_code, response.headers["Location"]) == (303, "/cart")
    html = browser.follow(response).text
    assert "It is in your cart." in html
    assert "Mug" in html
    assert "$28.00" in html
    assert "<b>2</b>" in html


def test_the_number_in_the_header_is_of_ones_own_cart(app, browser, mug):
    """Whether guests or customers: what others have in theirs does not count."""
    put_in(browser, quantity="2")
    other, ann, bob = Browser(app), Browser(app), Browser(app)
    put_in(other, quantity="3")
    for person, email in ((ann, "ann@example.com"), (bob, "bob@example.com")):
        make_user(app, email=email)
        person.sign_in(email)
    put_in(ann, quantity="4")

    shown = [number_in_header(one) for one in (browser, other, ann, bob, Browser(app))]

    assert shown == ["2", "3", "4", None, None]


def number_in_header(browser: Browser) -> str | None:
    number = re.search(r'class="to-cart"[^>]*>Cart <b>([^<]*)</b>', browser.get("/").text)
    return number.group(1) if number else None


def test_the_guests_token_is_kept_out_of_reach_of_scripts(browser, mug):
    put_in(browser)

    cookie = browser.cookie("cart")
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.max_age == 90 * 24 * 3600


def test_more_of_the_same_adds_up_in_the_same_cart(app, browser, mug):
    put_in(browser)
    put_in(browser, quantity="3")

    assert only_row(app, CartLine).quantity == 4
    assert len(rows(app, Cart)) == 1


def test_the_chosen_variant_goes_into_the_cart(app, browser):
    with app.app_context():
        options = [{"options": {"Size": size}} for size in ("S", "M")]
        product = factories.product_with_variants(options, slug="tee")

    put_in(browser, "tee", variant_id=str(product.variants[1].id))

    assert only_row(app, CartLine).variant_id == product.variants[1].id


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"quantity": "6"}, "Only 5 can be had at present."),
        ({"quantity": "0"}, "has to be a whole number from 1 to 100,000."),
        ({"quantity": "-1"}, "has to be a whole number from 1 to 100,000."),
        ({"quantity": "1.5"}, "has to be a whole number from 1 to 100,000."),
        ({"quantity": "1_0"}, "has to be a whole number from 1 to 100,000."),
        ({"quantity": "٣x"}, "has to be a whole number from 1 to 100,000."),
        ({"quantity": "9" * 5000}, "has to be a whole number from 1 to 100,000."),
        ({"quantity": ""}, "Please say how many you would like."),
        ({"variant_id": "x"}, "Please choose which one you would like."),
        ({"variant_id": ""}, "Please choose which one you would like."),
        ({"variant_id": "9" * 30}, "Please choose which one you would like."),
    ],
)
def test_what_cannot_go_into_the_cart_is_told_where_it_was_tried(app, browser, mug, fields, told):
    response = put_in(browser, **fields)

    assert response.headers["Location"] == "/products/mug"
    assert told in browser.follow(response).text
    assert rows(app, CartLine) == []


def test_what_is_no_longer_offered_is_a_page_of_its_own(app, browser, mug):
    assert put_in(browser, variant_id="123456").status_code == 404


def test_a_quantity_can_be_changed_and_0_removes_the_line(app, browser, mug):
    put_in(browser)
    browser.get("/cart")
    item = f"/cart/items/{only_row(app, CartLine).id}"

    assert browser.send(item, quantity="3").headers["Location"] == "/cart"
    assert only_row(app, CartLine).quantity == 3
    browser.send(item, quantity="0")
    assert rows(app, CartLine) == []


def test_a_line_can_be_removed(app, browser, mug):
    put_in(browser)
    browser.get("/cart")

    browser.send(f"/cart/items/{only_row(app, CartLine).id}/remove")

    assert "There is nothing in it yet." in browser.get("/cart").text


def test_a_line_that_is_gone_already_is_no_dead_end(app, browser, mug):
    put_in(browser)
    browser.get("/cart")
    item = f"/cart/items/{only_row(app, CartLine).id}"
    browser.send(f"{item}/remove")

    removed = browser.send(f"{item}/remove")
    changed = browser.send(item, quantity="2")

    for answer in (removed, changed):
        assert answer.status_code == 404
        assert "That is no longer in your cart." in answer.text
        assert "<h1>Your cart</h1>" in answer.text


def test_more_than_there_is_is_refused_and_the_line_stays(app, browser, mug):
    put_in(browser)
    browser.get("/cart")

    response = browser.send(f"/cart/items/{only_row(app, CartLine).id}", quantity="9")

    assert "Only 5 can be had at present." in browser.follow(response).text
    assert only_row(app, CartLine).quantity == 1


def test_the_cart_warns_of_what_has_changed(app, browser, mug):
    put_in(browser, quantity="3")
    sell_out(app, mug, left=2)
    change(app, mug.variants[0], price=1500)

    html = browser.get("/cart").text

    assert "Of Mug only 2 can be had." in html
    assert "The price of Mug has changed since it was put into the cart." in html
    assert "$45.00" in html


def test_what_has_sold_out_meanwhile_says_so(app, browser, mug):
    sell_out(app, mug, left=0)
    browser.get("/login")
    browser.get("/products/mug")
    token = re.search(r'csrf_token" value="([^"]+)', browser.get("/login").text)
    fields = {"csrf_token": token.group(1), "variant_id": str(variant_id(mug))}

    response = browser.client.post("/cart/items", data=fields)

    assert response.headers["Location"] == "/cart"
    assert "It is sold out." in browser.follow(response).text


def test_nobody_changes_anothers_line(app, browser, mug):
    owner = signed_in(app)
    fill(owner, mug)
    item = only_row(app, CartLine)
    put_in(browser)
    mine = re.search(r'csrf_token" value="([^"]+)', browser.get("/cart").text)

    for path in (f"/cart/items/{item.id}", f"/cart/items/{item.id}/remove"):
        data = {"csrf_token": mine.group(1), "quantity": "3"}
        assert browser.client.post(path, data=data).status_code == 404

    assert inside(app, factories.reload, item).quantity == 1


@pytest.mark.parametrize("item", ["0", "x", "99999999999999999999"])
def test_what_is_no_line_is_not_there(browser, item):
    assert browser.client.post(f"/cart/items/{item}").status_code == 404


def test_a_customer_has_the_cart_of_the_account(app, browser, mug):
    make_user(app)
    browser.sign_in(EMAIL)

    put_in(browser)

    assert only_row(app, Cart).user_id is not None
    assert browser.cookie("cart") is None


def test_a_form_from_elsewhere_puts_nothing_into_the_cart(app, browser, mug):
    response = browser.client.post("/cart/items", data={"variant_id": variant_id(mug)})

    assert response.status_code == 403
    assert rows(app, CartLine) == []


def test_a_cookie_that_names_no_cart_is_an_empty_one(app, browser, mug):
    browser.client.set_cookie("cart", "made up")

    assert "There is nothing in it yet." in browser.get("/cart").text
    put_in(browser)
    assert browser.cookie("cart").value != "made up"


def test_nobody_is_sent_elsewhere_after_a_refusal(browser, mug):
    response = put_in(browser, quantity="99", back="https://evil.example/")

    assert response.headers["Location"] == "/cart"


def test_a_code_is_entered_and_removed_and_its_refusal_is_told(app, admin):
    with app.app_context():
        factories.product(name="Mug", slug="mug", price=1000)
    offer = {"name": "Tenth", "kind": "percentage", "value": "10", "needs_code": True}
    promotion = admin.post("/api/promotions", json=offer).json
    admin.post(f"/api/promotions/{promotion['id']}/codes", json={"code": "WELCOME10"})
    shopper = Browser(app)
    shopper.get("/products/mug")
    shopper.send("/cart/items", quantity="2")

    shopper.get("/cart")
    refused = shopper.send("/cart/codes", code="NONE")
    assert "There is no such code." in shopper.follow(refused).text
    shopper.get("/cart")
    entered = shopper.follow(shopper.send("/cart/codes", code=" welcome10 ")).text
    assert "Tenth (welcome10)" in entered
    assert "$18.00" in entered
    admin.patch(f"/api/promotions/{promotion['id']}", json={"is_active": False})
    assert "welcome10: There is no such code." in shopper.get("/cart").text
    removed = shopper.follow(shopper.send("/cart/codes/remove", code="welcome10")).text
    assert "welcome10" not in removed
    assert "$20.00" in removed

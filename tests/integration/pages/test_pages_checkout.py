"""Ordering on the pages: as a guest or a customer, looked over, once."""

import json
import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from app.models import Checkout, IdempotencyKey, Order
from tests import factories
from tests.factories import PASSWORD
from tests.integration.books import assert_books_balance
from tests.integration.browsing import Browser, hidden_fields, links, sell_out
from tests.integration.conftest import signed_in
from tests.integration.people import EMAIL, at_once, change, inside, make_user, only_row, rows
from tests.integration.pricing.shop import method, rate, settings
from tests.integration.shopping import ADDRESS, stock

DETAILS = {**ADDRESS, "email": "guest@example.com", "note": "Ring twice"}


@pytest.fixture
def mug(app: Flask) -> Any:
    with app.app_context():
        return factories.product(name="Mug", slug="mug", price=1400, stock=5)


@pytest.fixture
def guest(app: Flask, mug: Any) -> Browser:
    """Somebody without an account, with two mugs in the cart."""
    return with_mugs(Browser(app))


@pytest.fixture
def ann(app: Flask, mug: Any) -> Browser:
    """A customer with two mugs in the cart."""
    make_user(app)
    browser = Browser(app)
    browser.sign_in(EMAIL)
    return with_mugs(browser)


def with_mugs(browser: Browser) -> Browser:
    browser.get("/products/mug")
    browser.send("/cart/items", quantity="2")
    return browser


def look_over(browser: Browser, **fields: Any) -> Any:
    """Fill in the checkout's form and come to the review."""
    browser.get("/checkout")
    return enter(browser, **{**DETAILS, **fields})


def enter(browser: Browser, **fields: Any) -> Any:
    """Send the checkout's form, and look at the review if nothing is refused."""
    response = browser.page = browser.send("/checkout", **fields)
    return browser.follow(response) if response.status_code == 303 else response


def place(browser: Browser) -> Any:
    """Send the review's form."""
    return browser.send("/checkout/order")


def test_a_shop_may_require_a_confirmed_address(app, ann, monkeypatch):
    monkeypatch.setitem(app.config, "REQUIRE_EMAIL_VERIFIED", True)
    look_over(ann)
    refused = ann.send("/checkout/order")
    assert refused.status_code == 409
    assert "Confirm your email address before you order." in refused.text
    assert "/account/email" in refused.text


def test_a_guest_orders_and_gets_a_link_that_only_they_have(app, guest):
    review = look_over(guest)

    assert review.status_code == 200
    assert "1 High Street" in review.text
    assert "guest@example.com" in review.text
    assert "Place the order: $28.00" in review.text
    response = place(guest)
    order = only_row(app, Order)
    assert (response.status_code, response.headers["Location"]) == (303, f"/orders/{order.number}")
    html = guest.follow(response).text
    assert "Thank you!" in html
    assert "Ring twice" in html
    assert any("?token=" in link for link in links(html))
    assert "There is nothing in it yet." in guest.get("/cart").text
    inside(app, assert_books_balance)


def test_the_link_opens_the_order_elsewhere_and_the_token_leaves_the_address(app, guest):
    look_over(guest)
    html = guest.follow(place(guest)).text
    (link,) = (link for link in links(html) if "?token=" in link)
    elsewhere = Browser(app)

    response = elsewhere.get(link)

    assert response.status_code == 303
    assert "token" not in response.headers["Location"]
    assert elsewhere.follow(response).status_code == 200


def test_without_the_link_nobody_sees_a_guests_order(app, guest):
    look_over(guest)
    place(guest)
    path = f"/orders/{only_row(app, Order).number}"
    stranger = Browser(app)

    assert stranger.get(path).status_code == 404
    assert stranger.get(f"{path}?token=guessed").status_code == 404
    assert stranger.get(path).status_code == 404


def test_the_orders_secret_is_sent_to_that_orders_page_alone(app, guest):
    look_over(guest)
    place(guest)
    number = only_row(app, Order).number

    cookie = guest.cookie("order", path=f"/orders/{number}")

    assert cookie.http_only
    assert cookie.path == f"/orders/{number}"


def test_a_double_click_orders_once(app, guest, mug):
    look_over(guest)

    first, second = place(guest), place(guest)

    assert first.headers["Location"] == second.headers["Location"]
    assert len(rows(app, Order)) == 1
    assert stock(app, mug) == (5, 2)


def test_the_stored_answer_is_one_that_the_previous_release_can_replay(app, guest):
    look_over(guest)
    place(guest)

    stored, order = only_row(app, IdempotencyKey), only_row(app, Order)

    assert json.loads(stored.answer) == {"number": order.number}


@pytest.mark.races
def test_two_clicks_at_the_same_moment_order_once(app, guest, mug):
    look_over(guest)
    cookies = guest.client._cookies

    def click() -> Any:
        browser = Browser(app)
        browser.client._cookies = dict(cookies)
        browser.page = guest.page
        return place(browser)

    answers = at_once([click] * 4)

    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert len(rows(app, Order)) == 1


def test_a_second_order_of_the_same_is_another_order(app, guest):
    look_over(guest)
    place(guest)
    with_mugs(guest)
    look_over(guest)
    place(guest)

    assert len(rows(app, Order)) == 2


@pytest.mark.parametrize(
    ("fields", "field", "told"),
    [
        ({"email": "nobody"}, "email", "@"),
        ({"email": ""}, "email", "This is needed."),
        ({"name": ""}, "name", "This is needed."),
        ({"line1": "x" * 201}, "line1", "Between 1 and 200 characters."),
        ({"country": ""}, "country", "This is needed."),
        ({"country": "XX"}, "country", "Not a country code"),
        ({"note": "x" * 2001}, "note", "Between 0 and 2000 characters."),
        ({"city": "a\x00b"}, "city", "Control characters"),
    ],
)
def test_what_is_wrong_is_told_beside_its_field_and_the_rest_is_kept(
    app, guest, fields, field, told
):
    response = look_over(guest, **fields)

    assert response.status_code == 422
    said = re.search(rf'<small id="{field}-said">([^<]*)', response.text)
    assert said
    assert re.search(told, said.group(1))
    assert 'value="Leeds"' in response.text or field == "city"


def test_what_was_filled_in_can_be_changed_after_looking_it_over(app, guest):
    look_over(guest)

    response = guest.get("/checkout")

    assert "/checkout" in links(guest.get("/checkout/review").text)
    assert response.status_code == 200
    assert 'value="1 High Street"' in response.text
    assert "Ring twice</textarea>" in response.text
    assert "aria-invalid" not in response.text


def test_a_guest_is_offered_to_sign_in_and_comes_back(app, guest):
    make_user(app)

    assert "/login?next=/checkout" in links(guest.get("/checkout").text)
    response = guest.sign_in(EMAIL, next="/checkout")

    assert response.headers["Location"] == "/checkout"
    assert "2 × Mug" in guest.follow(response).text


def test_a_customer_orders_to_an_address_of_the_book(app, ann):
    ann.get("/account/addresses/new")
    ann.send("/account/addresses/new", **ADDRESS)
    html = ann.get("/checkout").text
    (chosen,) = re.findall(r'name="address_id" value="(\d+)"', html)

    enter(ann, address_id=chosen, note="")
    response = place(ann)

    order = only_row(app, Order)
    assert order.user_id is not None
    assert order.shipping_address["city"] == "Leeds"
    assert order.email == EMAIL
    assert "?token=" not in ann.follow(response).text


def test_a_customer_orders_to_another_address_without_the_book(app, ann):
    look_over(ann)
    place(ann)

    assert only_row(app, Order).shipping_address["line1"] == "1 High Street"


def test_an_address_of_somebody_elses_book_is_refused(app, ann):
    other = Browser(app)
    make_user(app, email="other@example.com")
    other.sign_in("other@example.com")
    other.get("/account/addresses/new")
    other.send("/account/addresses/new", **ADDRESS)
    theirs = re.search(r"addresses/(\d+)", other.get("/account/addresses").text)
    ann.get("/checkout")

    response = ann.send("/checkout", address_id=theirs.group(1))

    assert response.status_code == 404
    assert rows(app, Order) == []


def test_an_address_that_left_the_book_meanwhile_is_told_beside_the_form(app, ann):
    ann.get("/account/addresses/new")
    ann.send("/account/addresses/new", **ADDRESS)
    (chosen,) = re.findall(r'name="address_id" value="(\d+)"', ann.get("/checkout").text)
    review = enter(ann, address_id=chosen, note="Ring twice")
    ann.get("/account/addresses")
    ann.send(f"/account/addresses/{chosen}/remove")
    ann.page = review

    response = place(ann)

    assert response.status_code == 404
    assert "There is no such address." in response.text
    assert "Ring twice</textarea>" in response.text
    assert rows(app, Order) == []


def test_whoever_comes_back_to_a_refused_order_begins_at_the_checkout(guest):
    assert guest.get("/checkout/order").headers["Location"] == "/checkout"


def test_a_price_that_changed_meanwhile_is_shown_before_it_counts(app, guest, mug):
    look_over(guest)
    change(app, mug.variants[0], price=1500)

    response = place(guest)

    assert response.headers["Location"] == "/checkout/review"
    review = guest.follow(response).text
    assert "Prices have changed since you looked." in review
    assert "Place the order: $30.00" in review
    assert rows(app, Order) == []


def test_a_price_that_changed_meanwhile_is_shown_with_what_this_tab_has_entered(app, guest, mug):
    look_over(guest)
    first = guest.page
    look_over(guest, line1="2 Other Street")
    guest.page = first
    change(app, mug.variants[0], price=1500)

    review = guest.follow(place(guest)).text

    assert "1 High Street" in review
    assert "2 Other Street" not in review


def test_a_price_that_changed_does_not_cost_what_was_entered_over_an_hour_ago(app, guest, mug):
    look_over(guest)
    change(app, mug.variants[0], price=1500)

    entered = only_row(app, Checkout).created_at
    with time_machine.travel(entered + timedelta(hours=2), tick=True):
        review = guest.follow(place(guest))

    assert review.status_code == 200
    assert "1 High Street" in review.text


def test_a_tab_that_stayed_open_during_an_order_shows_the_next_cart_before_it_is_ordered(
    app, guest
):
    first = look_over(guest)
    second = look_over(guest, line1="2 Other Street")
    guest.page = first
    place(guest)
    guest.get("/products/mug")
    guest.send("/cart/items", quantity="1")
    guest.page = second

    review = guest.follow(place(guest))

    assert review.status_code == 200
    assert "2 Other Street" in review.text
    assert "Place the order: $14.00" in review.text
    assert len(rows(app, Order)) == 1


def test_what_sold_out_meanwhile_leads_back_to_the_cart(app, guest, mug):
    look_over(guest)
    sell_out(app, mug, left=1)

    response = place(guest)

    assert response.headers["Location"] == "/cart"
    assert "Of Mug only 1 can be had." in guest.follow(response).text
    assert rows(app, Order) == []


def test_the_form_of_an_order_cannot_be_sent_again_with_other_contents(app, guest):
    look_over(guest)
    review = guest.page
    place(guest)
    guest.page = review

    response = guest.send("/checkout/order", line1="2 Other Street")

    assert response.headers["Location"] == "/checkout/review"
    order = only_row(app, Order)
    assert guest.follow(response).headers["Location"] == f"/orders/{order.number}"
    assert order.shipping_address["line1"] == "1 High Street"


def test_whoever_goes_back_to_the_review_after_the_order_sees_the_order(app, guest):
    look_over(guest)
    place(guest)
    number = only_row(app, Order).number
    guest.client.delete_cookie("order", path=f"/orders/{number}")  # the answer was lost on its way

    response = guest.get("/checkout/review")

    assert response.headers["Location"] == f"/orders/{number}"
    assert "This order is placed." in guest.follow(response).text
    assert len(rows(app, Order)) == 1


def test_two_tabs_order_what_each_of_them_shows(app, guest):
    look_over(guest)
    first = guest.page
    second = look_over(guest, line1="2 Other Street")
    assert "2 Other Street" in second.text
    guest.page = first

    place(guest)
    guest.page = second
    again = place(guest)

    order = only_row(app, Order)
    assert order.shipping_address["line1"] == "1 High Street"
    assert again.headers["Location"] == f"/orders/{order.number}"


def test_the_review_shown_again_keeps_its_key(guest):
    def key() -> str:
        return hidden_fields(guest.get("/checkout/review").text)["key"]

    look_over(guest)
    first = key()

    assert first == key()
    look_over(guest)
    assert first != key()


def test_what_was_entered_is_erased_by_the_order(app, guest):
    look_over(guest)
    assert only_row(app, Checkout).details["email"] == DETAILS["email"]

    place(guest)

    row = only_row(app, Checkout)
    assert (row.details, row.order_number) == (None, only_row(app, Order).number)


def test_what_was_entered_is_for_this_browser_alone(app, ann):
    look_over(ann)
    phone = Browser(app)
    phone.sign_in(EMAIL)

    assert "1 High Street" not in phone.get("/checkout").text
    assert phone.get("/checkout/review").headers["Location"] == "/checkout"
    ann.client.delete_cookie("visit")  # the browser was closed
    assert "1 High Street" not in ann.get("/checkout").text


def test_what_was_entered_is_kept_for_an_hour(app, guest):
    look_over(guest)
    sent = only_row(app, Checkout).created_at

    with time_machine.travel(sent + timedelta(minutes=59), tick=True):
        assert guest.get("/checkout/review").status_code == 200
    with time_machine.travel(sent + timedelta(minutes=61), tick=True):
        assert guest.get("/checkout/review").headers["Location"] == "/checkout"
        assert "1 High Street" not in guest.get("/checkout").text


def test_the_longest_details_fit(app, guest):
    texts = {"name": 200, "line1": 200, "line2": 200, "city": 100, "region": 100, "note": 2000}
    longest = {name: "\U0001f600" * length for name, length in texts.items()}

    review = look_over(guest, **longest)

    assert review.status_code == 200
    assert "\U0001f600" * 2000 in review.text
    assert len(guest.cookie("visit").value) < 500
    assert place(guest).status_code == 303


def test_a_form_padded_with_blanks_is_stored_without_them(app, guest):
    look_over(guest, name=" " * 10_000 + "Ada")

    assert only_row(app, Checkout).details["name"] == "Ada"


def test_what_was_entered_goes_with_the_account(app, ann):
    look_over(ann)
    ann.get("/account/close")

    ann.send("/account/close", password=PASSWORD)

    assert rows(app, Checkout) == []


def test_no_address_of_the_checkout_names_anybody(guest):
    guest.get("/checkout")

    response = guest.send("/checkout", **DETAILS)

    assert response.headers["Location"] == "/checkout/review"


def test_an_empty_cart_has_nothing_to_order(app):
    browser = Browser(app)

    response = browser.get("/checkout")

    assert response.headers["Location"] == "/cart"
    assert "there is nothing to order" in browser.follow(response).text


@pytest.mark.parametrize("key", ["", "x", "\x00", "a" * 33, "é" * 32])
def test_a_made_up_key_orders_nothing(app, guest, key):
    look_over(guest)

    response = guest.send("/checkout/order", key=key)

    assert response.status_code == 422
    assert rows(app, Order) == []


def test_totals_cannot_be_made_up(app, guest):
    look_over(guest)

    made_up = guest.send("/checkout/order", expected_total="0.01")
    assert made_up.headers["Location"] == "/checkout/review"
    assert rows(app, Order) == []
    assert guest.send("/checkout/order", total="0.01").status_code == 303
    assert only_row(app, Order).total == 2800


def test_the_review_without_its_cart_leads_to_the_cart(app, guest):
    guest.get("/checkout")
    form = guest.page
    look_over(guest)
    place(guest)

    assert guest.get("/checkout").headers["Location"] == "/cart"
    guest.page = form
    assert guest.send("/checkout", **DETAILS).headers["Location"] == "/cart"


def test_a_buyer_chooses_how_it_is_shipped_and_sees_what_it_costs(app, guest):
    admin = signed_in(app, role="admin")
    settings(admin, country="GB")
    rate(admin, "GB", "20")
    slow = method(admin, "GB", price="3.60", name="Second class", min_days=3, max_days=5)
    zone = {"zone_id": slow["zone_id"], "rates": [{"price": "6.00"}]}
    fast = admin.post("/api/shipping-methods", json={**zone, "name": "First class"}).json

    review = look_over(guest, country="GB")
    assert "Second class: $3.60" in review.text
    assert "3 to 5 days" in review.text
    assert "of it VAT 20 %" in review.text
    assert "Place the order: $31.60" in re.sub(r"\s+", " ", review.text)
    guest.page = guest.get(f"/checkout/review?shipping={fast['id']}")
    assert "Place the order: $34.00" in re.sub(r"\s+", " ", guest.page.text)

    placed = place(guest)
    shown = guest.follow(placed).text
    assert "Shipping: First class" in shown
    assert "of it VAT 20 %" in shown
    order = only_row(app, Order)
    assert (order.total, order.tax_total, order.shipping_method_id) == (3400, 567, fast["id"])


def test_a_cart_that_cannot_be_shipped_there_is_not_ordered(app, guest):
    admin = signed_in(app, role="admin")
    parcel = method(admin, "FR")
    review = look_over(guest, country="GB")
    assert "We cannot ship this cart to this address." in review.text
    assert "Place the order" not in review.text

    review = look_over(guest, country="FR")
    assert "Place the order" in review.text
    admin.patch(f"/api/shipping-methods/{parcel['id']}", json={"is_active": False})
    method(admin, "GB")
    refused = place(guest)
    assert refused.status_code == 303
    assert "cannot be shipped like that any more" in guest.follow(refused).text
    assert rows(app, Order) == []

"""Prices of currencies whose units are worth little, and totals that no column holds."""

import pytest

from app.domain.clock import utc_now
from app.domain.money import MAX_PRICE, MAX_TOTAL, to_text
from app.models import Order
from app.services.operations import report_service
from tests import factories
from tests.integration.browsing import Browser
from tests.integration.people import inside, rows
from tests.integration.shopping import ADDRESS, fill, order, stock
from tests.integration.staff import signed_in_staff

URL = "/api/products"


@pytest.mark.parametrize("currency", ["IDR", "IRR", "LBP", "VND"])
def test_an_article_may_cost_a_million_millions(currency):
    places = 0 if currency == "VND" else 2

    assert 10**12 * 10**places - 1 <= MAX_PRICE
    assert to_text(MAX_PRICE, "IDR") == "999999999999.99"


def test_a_dear_article_is_sold_by_the_api_and_listed(app, admin, customer, anyone):
    body = {"name": "Villa", "slug": "villa", "price": "999999999999.99", "stock": 3}
    assert admin.post(URL, json=body).status_code == 201

    assert anyone.get(f"{URL}?min_price=999999999999").json["total"] == 1
    assert anyone.get(f"{URL}?max_price=999999999999").json["total"] == 0
    too_dear = admin.post(URL, json={"name": "Castle", "price": "1000000000000.00"})
    assert too_dear.status_code == 422
    assert too_dear.json["errors"] == {"price": ["From 0 to 999999999999.99."]}
    with app.app_context():
        product = factories.product(price=MAX_PRICE, stock=2)
    assert order(customer, product, 2).json["total"] == "1999999999999.98"


def test_an_order_whose_total_no_column_holds_is_refused(app, customer):
    with app.app_context():
        product = factories.product(price=MAX_PRICE, stock=100_000)

    cart = fill(customer, product, 100_000)
    response = customer.post("/api/orders", json={"shipping_address": ADDRESS})

    assert cart.status_code == 201
    assert cart.json["subtotal"] == "99999999999999000.00"
    assert (response.status_code, response.json["code"]) == (422, "total_too_large")
    assert response.json["detail"] == "An order can come to 9999999999999999.99 USD at most."
    assert (rows(app, Order), stock(app, product)) == ([], (100_000, 0))
    assert customer.get("/api/cart").json["item_count"] == 100_000


def test_an_order_of_exactly_the_largest_total_is_placed(app, customer):
    with app.app_context():
        product = factories.product(price=(10**18 - 10**5) // 10**5, stock=100_000)

    response = order(customer, product, 100_000)

    assert response.status_code == 201
    assert response.json["total"] == to_text(10**18 - 10**5, "USD")
    assert MAX_TOTAL >= 10**18 - 10**5


def test_reports_add_up_what_no_column_holds(app, customer):
    with app.app_context():
        product = factories.product(price=(10**18 - 10**5) // 10**5, stock=2_000_000)
    for _ in range(12):
        assert order(customer, product, 100_000).status_code == 201

    days = inside(app, lambda: report_service.days(utc_now()))

    assert days[-1].revenue == 12 * (10**18 - 10**5)
    staff = signed_in_staff(app)
    assert staff.get("/admin").status_code == 200
    user_id = inside(app, lambda: rows(app, Order)[0].user_id)
    assert staff.get(f"/admin/customers/{user_id}").status_code == 200


def test_pages_show_a_cart_that_cannot_be_ordered(app):
    with app.app_context():
        product = factories.product(price=MAX_PRICE, stock=100_000)
    shopper = Browser(app)
    shopper.get(f"/products/{product.slug}")

    added = shopper.send("/cart/items", quantity="100000")

    assert added.status_code == 303
    assert "99,999,999,999,999,000.00" in shopper.get("/cart").text

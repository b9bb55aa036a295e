"""Shipping and taxes on the pages of a cart and its checkout: the country, the bill, and the VAT id."""

import pytest

from app.models import Order
from tests import factories
from tests.integration.browsing import Browser
from tests.integration.pages.test_pages_checkout import DETAILS, look_over, place, with_mugs
from tests.integration.people import only_row, rows
from tests.integration.pricing.shop import method, rate, settings
from tests.integration.pricing.test_promotions import code
from tests.integration.staff import signed_in_staff

BILL = {
    "billing_address.name": "Osier GmbH",
    "billing_address.line1": "Weidenweg 4",
    "billing_address.city": "Berlin",
    "billing_address.postal_code": "10249",
    "billing_address.country": "DE",
}


@pytest.fixture
def guest(app, admin):
    """A guest with two mugs at 14.00 in the cart of a German shop."""
    settings(admin, country="DE", prices_include_tax=True)
    rate(admin, "DE", "19")
    method(admin, "DE", "AT", price="4.95", free_from="50")
    with app.app_context():
        factories.product(name="Mug", slug="mug", price=1400, stock=12)
    return with_mugs(Browser(app))


def test_the_cart_tells_what_a_country_costs(guest):
    page = guest.get("/cart").text
    assert "Shipping and taxes to" in page
    page = guest.get("/cart?country=DE").text
    assert "Shipping: Parcel" in page
    assert "$32.95" in page
    assert "of it VAT 19 %" in page
    assert "With $22.00 more, Parcel is free." in page


def test_the_country_stays_while_a_code_is_entered_and_removed(guest, admin):
    code(admin)
    guest.get("/cart?country=DE")
    assert "Shipping: Parcel" in guest.follow(guest.send("/cart/codes", code="WELCOME10")).text
    assert "Shipping: Parcel" in guest.follow(guest.send("/cart/codes/remove")).text


def test_a_cart_above_the_threshold_ships_free(guest):
    guest.get("/products/mug")
    guest.send("/cart/items", quantity="2")
    page = guest.get("/cart?country=DE").text
    assert "$56.00" in page
    assert "is free" not in page


@pytest.mark.parametrize("country", ["XX", "", "de", "x" * 500])
def test_what_is_no_country_is_not_asked(guest, country):
    page = guest.get(f"/cart?country={country}")
    assert page.status_code == 200
    assert "Shipping: Parcel" not in page.text


def test_a_country_that_nothing_is_shipped_to_is_told(guest):
    assert "We cannot ship this cart to France." in guest.get("/cart?country=FR").text


def test_a_shop_without_shipping_and_taxes_asks_for_no_country(app):
    with app.app_context():
        factories.product(name="Mug", slug="mug", price=1400, stock=12)
    assert "Shipping and taxes to" not in with_mugs(Browser(app)).get("/cart").text


def test_a_business_of_another_country_of_the_union_pays_no_tax(app, guest):
    review = look_over(guest, country="AT", vat_id="atu 1358 5627").text
    assert "VAT id ATU13585627" in review
    assert "Tax relief" in review
    assert guest.follow(place(guest)).status_code == 200
    order = only_row(app, Order)
    assert (order.vat_id, order.tax_treatment, order.tax_total) == (
        "ATU13585627",
        "reverse_charge",
        0,
    )
    assert order.total == 2769  # 32.95 without the 5.26 of tax that is in it


def test_the_bill_may_go_elsewhere(app, guest):
    review = look_over(guest, country="AT", **BILL).text
    assert "Weidenweg 4" in review
    page = guest.follow(place(guest)).text
    assert "The bill goes to" in page
    assert "Osier GmbH" in page
    order = only_row(app, Order)
    assert order.billing_address["name"] == "Osier GmbH"
    assert order.shipping_address["name"] == DETAILS["name"]
    assert "Osier GmbH" in signed_in_staff(app).get(f"/admin/orders/{order.number}").text


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"vat_id": "DE123"}, "vat_id"),
        ({"vat_id": "x" * 5000}, "vat_id"),
        ({**BILL, "billing_address.country": ""}, "billing_address.country"),
        ({**BILL, "billing_address.city": ""}, "billing_address.city"),
    ],
)
def test_a_bill_that_is_wrong_is_marked(app, guest, fields, name):
    page = look_over(guest, country="AT", **fields)
    assert page.status_code == 422
    field = page.text[page.text.index(f'id="{name}"') :]
    assert 'aria-invalid="true"' in field[: field.index(">")]
    assert "<details open>" in page.text
    assert rows(app, Order) == []

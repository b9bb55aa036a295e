"""Quotes, and orders that cost what was quoted."""

import pytest

from tests import factories
from tests.integration.conftest import Caller
from tests.integration.pricing.shop import method, rate, settings, to, totals
from tests.integration.shopping import ADDRESS, fill, statements_for

QUOTE, ORDERS = "/api/cart/quote", "/api/orders"
AMOUNTS = (
    "items", "discounts", "subtotal", "discount_total", "shipping_total", "tax_total",
    "tax_included", "tax_treatment", "taxes", "total", "currency",
)  # fmt: skip


@pytest.fixture
def product(app):
    with app.app_context():
        return factories.product(price=11900, stock=100, name="Lamp")


def quote_and_order(caller, **choices):
    """A quote and the order with the same choices, which agree in every amount."""
    quote = caller.post(QUOTE, json=choices)
    assert quote.status_code == 200, quote.text
    order = caller.post(ORDERS, json={**choices, "expected_total": quote.json["total"]})
    assert order.status_code == 201, order.text
    for name in AMOUNTS:
        quoted, ordered = quote.json[name], order.json[name]
        if name == "items":
            quoted, ordered = ([{**item, "id": 0} for item in items] for items in (quoted, ordered))
        assert quoted == ordered, name
    assert quote.json["complete"]
    stored = caller.get(f"{ORDERS}/{order.json['number']}").json
    assert stored == {**order.json, **{name: stored[name] for name in ("updated_at",)}}
    listed = caller.get(ORDERS).json["items"][0]
    assert listed == stored
    return order.json


def test_a_shop_without_taxes_and_methods_asks_for_nothing(customer, product):
    fill(customer, product, 2)
    order = quote_and_order(customer)
    assert totals(order) == {
        "subtotal": "238.00", "discount_total": "0.00", "shipping_total": "0.00",
        "tax_total": "0.00", "total": "238.00",
    }  # fmt: skip
    assert order["taxes"] == order["discounts"] == []


def test_prices_with_tax(admin, customer, product):
    settings(admin, country="DE")
    rate(admin, "DE", "19")
    parcel = method(admin, "DE", price="5.95")
    fill(customer, product)
    order = quote_and_order(customer, shipping_address=to("DE"), shipping_method_id=parcel["id"])
    assert totals(order) == {
        "subtotal": "119.00", "discount_total": "0.00", "shipping_total": "5.95",
        "tax_total": "19.95", "total": "124.95",
    }  # fmt: skip
    assert order["taxes"] == [{"name": "VAT", "rate": "19", "taxable": "105.00", "amount": "19.95"}]
    assert order["shipping_method"] == {"id": parcel["id"], "name": "Parcel"}
    assert order["items"][0]["tax_total"] == "19.00"
    assert order["items"][0]["total"] == "119.00"


def test_prices_without_tax_and_two_taxes_of_a_region(admin, customer, product):
    settings(admin, country="CA", prices_include_tax=False)
    rate(admin, "CA", "5", name="GST")
    rate(admin, "CA", "9.975", name="QST", region="QC")
    fill(customer, product)
    order = quote_and_order(customer, shipping_address=to("CA", region="QC"))
    assert [(tax["name"], tax["amount"]) for tax in order["taxes"]] == [
        ("GST", "5.95"), ("QST", "11.87"),
    ]  # fmt: skip
    assert order["total"] == order["items"][0]["total"] == "136.82"
    fill(customer, product)
    assert quote_and_order(customer, shipping_address=to("CA", region="ON"))["total"] == "124.95"


def test_businesses_abroad_and_exports_pay_no_tax(admin, customer, product):
    settings(admin, country="DE")
    rate(admin, "DE", "19")
    rate(admin, "FR", "20")
    parcel = method(admin, price="5.95")
    chosen = {"shipping_method_id": parcel["id"]}

    fill(customer, product)
    business = quote_and_order(
        customer, shipping_address=to("FR"), vat_id="FR 40 303 265 045", **chosen
    )
    assert (business["tax_treatment"], business["vat_id"]) == ("reverse_charge", "FR40303265045")
    assert totals(business) == {
        "subtotal": "119.00", "discount_total": "19.95", "shipping_total": "5.95",
        "tax_total": "0.00", "total": "105.00",
    }  # fmt: skip
    assert [row["kind"] for row in business["discounts"]] == ["tax_relief"]

    fill(customer, product)
    export = quote_and_order(customer, shipping_address=to("US"), **chosen)
    assert (export["tax_treatment"], export["total"]) == ("export", "105.00")
    fill(customer, product)
    home = quote_and_order(customer, shipping_address=to("DE"), vat_id="FR40303265045", **chosen)
    assert (home["tax_treatment"], home["total"]) == ("standard", "124.95")


@pytest.mark.parametrize("vat_id", ["FR40303265046", "XX123", "", "1" * 500])
def test_a_vat_id_that_is_none_is_refused(customer, product, vat_id):
    fill(customer, product)
    for path in (QUOTE, ORDERS):
        answer = customer.post(path, json={"vat_id": vat_id})
        assert (answer.status_code, list(answer.json["errors"])) == (422, ["vat_id"])


def test_an_order_that_is_shipped_needs_an_address_and_a_method(admin, customer, product):
    parcel = method(admin, "DE")
    letter = method(admin, "FR")
    fill(customer, product)
    steps = (
        ({}, "address_required"),
        ({"shipping_address": to("DE")}, "shipping_method_required"),
        ({"shipping_address": to("DE"), "shipping_method_id": letter["id"]}, "shipping_method_not_available"),
        ({"shipping_address": to("US"), "shipping_method_id": parcel["id"]}, "shipping_method_not_available"),
    )  # fmt: skip
    for choices, code in steps:
        refused = customer.post(ORDERS, json=choices)
        assert (refused.status_code, refused.json["code"]) == (422, code)
        assert not customer.post(QUOTE, json=choices).json["complete"]

    german = {"shipping_address": {"country": "DE"}}
    offers = customer.post(QUOTE, json=german).json["shipping_methods"]
    assert offers == [
        {"id": parcel["id"], "name": "Parcel", "description": "", "price": "4.95",
         "min_days": None, "max_days": None}
    ]  # fmt: skip
    quote_and_order(customer, shipping_address=to("DE"), shipping_method_id=parcel["id"])


def test_what_is_not_shipped_needs_no_method(app, admin, customer):
    method(admin, "DE")
    with app.app_context():
        book = factories.product(price=500, requires_shipping=False)
    fill(customer, book)
    assert quote_and_order(customer)["total"] == "5.00"


def test_a_price_by_weight_and_free_shipping_from_an_amount(app, admin, customer):
    rows = [{"from": 0, "price": "5.00"}, {"from": 1000, "price": "9.00", "until": 2000}]
    parcel = method(admin, "DE", basis="weight", rates=rows, free_from="30.00")
    with app.app_context():
        brick = factories.product(price=1000, weight=600, stock=9)
    chosen = {"shipping_address": to("DE"), "shipping_method_id": parcel["id"]}
    for units, price in ((1, "5.00"), (2, "9.00"), (3, "0.00")):
        customer.delete("/api/cart")
        fill(customer, brick, units)
        assert customer.post(QUOTE, json=chosen).json["shipping_total"] == price
    fill(customer, brick)
    heavy = customer.post(QUOTE, json=chosen).json
    assert (heavy["shipping_methods"], heavy["complete"]) == ([], False)


def test_a_total_that_has_changed_is_refused(admin, customer, product):
    fill(customer, product)
    total = customer.post(QUOTE, json={}).json["total"]
    settings(admin, country="DE", prices_include_tax=False)
    rate(admin, "DE", "19")
    refused = customer.post(ORDERS, json={"expected_total": total})
    assert (refused.status_code, refused.json["code"]) == (409, "total_changed")
    assert refused.json["total"] == "141.61"


def test_a_quote_takes_few_statements_whatever_the_size_of_the_cart(app, admin, customer, product):
    settings(admin, country="DE")
    rate(admin, "DE", "19")
    method(admin, "DE")
    fill(customer, product)
    german = {"shipping_address": {"country": "DE"}}
    for_one = statements_for(app, lambda: customer.post(QUOTE, json=german))
    with app.app_context():
        others = [factories.product(stock=1) for _ in range(9)]
    for other in others:
        fill(customer, other)
    for_ten = statements_for(app, lambda: customer.post(QUOTE, json=german))
    assert for_ten == for_one <= 8


def test_there_is_no_quote_without_a_cart(app, customer):
    for caller in (customer, Caller(app)):
        answer = caller.post(QUOTE, json={})
        assert (answer.status_code, answer.json["code"]) == (422, "cart_empty")


def test_orders_keep_what_held_when_they_were_placed(admin, customer, product):
    settings(admin, country="DE")
    vat = rate(admin, "DE", "19")
    parcel = method(admin, "DE")
    fill(customer, product)
    order = quote_and_order(
        customer, shipping_address=to("DE"), shipping_method_id=parcel["id"],
        billing_address={**ADDRESS, "name": "Somebody Else"},
    )  # fmt: skip
    assert order["billing_address"]["name"] == "Somebody Else"
    settings(admin, prices_include_tax=False)
    assert admin.delete(f"/api/tax-rates/{vat['id']}").status_code == 204
    assert admin.delete(f"/api/shipping-methods/{parcel['id']}").status_code == 204
    after = customer.get(f"{ORDERS}/{order['number']}").json
    assert {name: after[name] for name in AMOUNTS} == {name: order[name] for name in AMOUNTS}
    cancelled = customer.post(f"{ORDERS}/{order['number']}/cancel").json
    assert totals(cancelled) == totals(order)
    assert cancelled["shipping_method"] == {"id": parcel["id"], "name": "Parcel"}

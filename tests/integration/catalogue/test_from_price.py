"""The price from which a product can be bought: lists show, filter and sort by it."""

import re

import pytest
from sqlalchemy import select, text

from app.db.unit_of_work import in_transaction
from app.extensions import db
from app.models import Product, Variant
from app.services.audit import books
from tests import factories
from tests.integration.people import inside
from tests.integration.shopping import ADDRESS

URL = "/api/products"


@pytest.fixture
def shirt(app, admin):
    """A shirt whose small size is cheap, and which has one of it."""
    response = admin.post(URL, json={
        "name": "Shirt", "slug": "shirt",
        "options": [{"name": "Size", "values": ["S", "M", "L"]}],
        "variants": [
            {"sku": "S", "price": "5.00", "stock": 1, "options": {"Size": "S"}},
            {"sku": "M", "price": "20.00", "stock": 2, "options": {"Size": "M"}},
            {"sku": "L", "price": "30.00", "stock": 0, "options": {"Size": "L"}},
        ],
    })  # fmt: skip
    assert response.status_code == 201, response.json
    return response.json


def prices(caller):
    product = caller.get(f"{URL}/shirt").json
    return product["price"], product["from_price"]


def listed(caller, **arguments):
    items = caller.get(URL, query_string=arguments).json["items"]
    return [item["slug"] for item in items]


def variant_id(shirt, sku):
    return next(variant["id"] for variant in shirt["variants"] if variant["sku"] == sku)


def order(caller, variant, quantity=1):
    added = caller.post("/api/cart/items", json={"variant_id": variant, "quantity": quantity})
    assert added.status_code == 201, added.json
    placed = caller.post("/api/orders", json={"shipping_address": ADDRESS})
    assert placed.status_code == 201, placed.json
    return placed.json


def violations(app):
    return inside(app, lambda: [str(line) for line in books.violations()])


def set_stock(admin, shirt, sku, on_hand):
    body = {"variant_id": variant_id(shirt, sku), "on_hand": on_hand, "reason": "count"}
    assert admin.post(f"{URL}/shirt/stock", json=body).status_code == 200


def test_a_sale_that_sells_a_variant_out_and_its_cancellation_change_it(
    app, shirt, customer, anyone
):
    assert prices(anyone) == ("5.00", "5.00")

    placed = order(customer, variant_id(shirt, "S"))

    assert prices(anyone) == ("5.00", "20.00")
    customer.post(f"/api/orders/{placed['number']}/cancel")
    assert prices(anyone) == ("5.00", "5.00")


def test_shipping_what_was_sold_out_changes_nothing(app, shirt, customer, admin, anyone):
    placed = order(customer, variant_id(shirt, "S"))
    for status in ("processing", "shipped"):
        changed = admin.patch(f"/api/orders/{placed['number']}/status", json={"status": status})
        assert changed.status_code == 200

    assert prices(anyone) == ("5.00", "20.00")


def test_corrections_of_stock_change_it(shirt, admin, anyone):
    set_stock(admin, shirt, "S", 0)
    assert prices(anyone) == ("5.00", "20.00")
    set_stock(admin, shirt, "M", 0)
    assert prices(anyone) == ("5.00", "5.00")  # nothing can be bought
    set_stock(admin, shirt, "L", 1)
    assert prices(anyone) == ("5.00", "30.00")


def test_edits_and_imports_change_it(app, shirt, admin, anyone, tmp_path):
    set_stock(admin, shirt, "S", 0)
    admin.patch(f"{URL}/shirt", json={"description": "Warm."})
    assert prices(anyone) == ("5.00", "20.00")

    path = tmp_path / "list.csv"
    path.write_text("sku,name,price,stock\nM,Shirt,18.00,0\nL,Shirt,30.00,4\n")
    result = app.test_cli_runner().invoke(args=["import-products", str(path)])

    assert result.exit_code == 0, result.output
    assert prices(anyone) == ("5.00", "30.00")


def test_filters_orders_and_cursors_follow_it(app, shirt, admin, anyone):
    with app.app_context():
        factories.product(1000, name="Ten", slug="ten")
        factories.product(2500, name="Twenty-five", slug="twenty-five")
    set_stock(admin, shirt, "S", 0)

    assert listed(anyone, max_price="10") == ["ten"]
    assert listed(anyone, min_price="15", max_price="20") == ["shirt"]
    assert listed(anyone, sort="price") == ["ten", "shirt", "twenty-five"]
    first = anyone.get(URL, query_string={"sort": "price", "cursor": "", "per_page": 2}).json
    rest = {"sort": "price", "cursor": first["next_cursor"], "per_page": 2}
    assert [item["slug"] for item in first["items"]] == ["ten", "shirt"]
    assert listed(anyone, **rest) == ["twenty-five"]


def test_pages_show_it(shirt, admin, anyone):
    set_stock(admin, shirt, "S", 0)

    for path in ("/search?q=shirt", "/products/shirt"):
        shown = re.search(
            r'<span class="price">(.*?)</span>\s*(</p>|<)', anyone.get(path).text, re.S
        )
        assert "20.00" in shown[1]
        assert "from" not in shown[1]  # the only price at which it can be bought
    set_stock(admin, shirt, "L", 1)
    page = anyone.get("/products/shirt").text
    assert re.search(r'class="price"><span class="faint">from</span>\s*\S*20\.00', page)


def test_a_former_price_is_compared_with_it(shirt, admin, anyone):
    admin.patch(f"{URL}/shirt", json={"compare_at_price": "15.00"})
    assert anyone.get(f"{URL}/shirt").json["compare_at_price"] == "15.00"

    set_stock(admin, shirt, "S", 0)

    assert anyone.get(f"{URL}/shirt").json["compare_at_price"] is None


def test_the_books_check_it(app, shirt, admin, customer):
    set_stock(admin, shirt, "S", 0)
    assert violations(app) == []

    def spoil():
        db.session.execute(text("UPDATE products SET price = 500 WHERE slug = 'shirt'"))

    inside(app, lambda: in_transaction(spoil))
    assert len(violations(app)) == 1


def test_the_command_renews_prices_that_the_release_before_wrote(app, shirt, admin):
    set_stock(admin, shirt, "S", 0)

    def write():
        db.session.execute(text("UPDATE products SET price = 500, search_title = 'shirt s m l'"))

    inside(app, lambda: in_transaction(write))
    assert violations(app) == []
    assert app.test_cli_runner().invoke(args=["renew-search-keys"]).exit_code == 0

    assert inside(app, lambda: db.session.scalar(select(Product.price))) == 2000


@pytest.mark.only_on("postgresql")
def test_two_variants_that_sell_out_at_once_are_both_seen(app, shirt):
    """The second transaction waits for the product, and reads the variants then."""
    with app.app_context():
        statement = text("UPDATE variants SET allocated = on_hand WHERE sku = :sku")
        first, second = db.engine.connect(), db.engine.connect()
        with first, second:
            first.execute(statement, {"sku": "S"})
            second.execute(text("SET LOCAL lock_timeout = '200ms'"))
            with pytest.raises(Exception, match="lock timeout"):
                second.execute(statement, {"sku": "M"})
            second.rollback()
            first.commit()
            second.execute(statement, {"sku": "M"})
            second.commit()
        assert db.session.scalar(select(Product.price)) == 500
        assert db.session.scalar(select(Variant.on_hand).filter_by(sku="M")) == 2


def test_one_edit_that_changes_stock_and_prices_of_several_variants_changes_it(
    app, shirt, admin, anyone
):
    """The database writes variants one after the other, and a trigger looks at them in between."""
    set_stock(admin, shirt, "S", 0)
    changes = {"S": {"stock": 3}, "M": {"price": "4.00"}, "L": {}}
    variants = [{"id": variant_id(shirt, sku), **change} for sku, change in changes.items()]

    edited = admin.patch(f"{URL}/shirt", json={"variants": variants})

    assert edited.status_code == 200, edited.json
    assert edited.json["from_price"] == "4.00"
    assert listed(anyone, max_price="4.50") == ["shirt"]
    assert violations(app) == []


def test_one_edit_that_leaves_it_as_it_was_leaves_it(app, shirt, admin, anyone):
    """The trigger has written another price in between."""
    changes = {"S": {"stock": 0}, "M": {"price": "5.00"}, "L": {}}
    variants = [{"id": variant_id(shirt, sku), **change} for sku, change in changes.items()]

    assert admin.patch(f"{URL}/shirt", json={"variants": variants}).status_code == 200

    assert listed(anyone, max_price="5.00") == ["shirt"]
    assert violations(app) == []

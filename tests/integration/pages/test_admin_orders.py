"""Orders in the staff's browser: found, moved along, packed; and the day's figures."""

from datetime import timedelta

import pytest

from app.domain.clock import utc_now
from app.models import Order, OrderEvent
from app.services.operations import report_service
from tests import factories
from tests.integration.audit.test_audit_trail import events
from tests.integration.browsing import form_of, hidden_fields
from tests.integration.conftest import Caller
from tests.integration.people import change, inside, rows
from tests.integration.shopping import guest_order, move, order, statements_for, stock
from tests.integration.staff import signed_in_staff

STAFF, SHOPPER = "staff@example.com", "ann@example.com"


@pytest.fixture
def staff(app):
    """A browser in which an admin is signed in."""
    return signed_in_staff(app, STAFF)


@pytest.fixture
def mug(app):
    return inside(app, factories.product, name="Red mug", price=1250, stock=20, sku="MUG-RED")


@pytest.fixture
def placed(customer, mug):
    """A customer's order of two mugs."""
    return order(customer, mug, quantity=2).json


def test_the_dashboard_shows_what_waits_and_what_was_sold(app, staff, customer, admin, mug, placed):
    cancelled = order(customer, mug, quantity=1).json
    customer.post(f"/api/orders/{cancelled['number']}/cancel")
    page = staff.get("/admin").text

    assert "1 order to fulfil" in page
    assert placed["number"] in page
    assert page.count("$25.00") >= 3  # revenue, average, the order
    assert "<svg" in page
    assert "MUG-RED" in page


def test_an_empty_shop_has_a_dashboard_too(staff):
    page = staff.get("/admin")

    assert page.status_code == 200
    assert "Nothing waits" in page.text


def test_revenue_counts_the_days_orders_but_no_cancelled_ones(app, customer, mug, placed):
    old = order(customer, mug).json
    long_ago = utc_now() - timedelta(days=29)
    change(app, Order(id=old["id"]), placed_at=long_ago)
    gone = order(customer, mug).json
    change(app, Order(id=gone["id"]), placed_at=utc_now() - timedelta(days=31))
    customer.post(f"/api/orders/{order(customer, mug).json['number']}/cancel")

    days = inside(app, report_service.days, utc_now())

    assert len(days) == report_service.DAYS
    assert (days[-1].orders, days[-1].revenue) == (1, 2500)
    assert (days[0].date, days[0].orders, days[0].revenue) == (long_ago.date(), 1, 1250)
    assert sum(day.orders for day in days) == 2


def test_best_sellers_are_those_of_which_most_units_were_ordered(app, customer, mug):
    vase = inside(app, factories.product, name="Vase", sku="VASE", stock=9)
    order(customer, mug, quantity=2)
    order(customer, vase, quantity=5)

    sellers = inside(app, report_service.best_sellers, utc_now())

    assert [(seller.sku, seller.units) for seller in sellers] == [("VASE", 5), ("MUG-RED", 2)]


def test_best_sellers_are_called_as_they_were_sold_last(app, admin, customer, staff):
    vase = inside(app, factories.product, name="Vase", sku="VASE", stock=9)
    order(customer, vase)
    admin.patch(f"/api/products/{vase.id}", json={"name": "Jar", "sku": "JAR"})
    order(customer, vase)
    admin.delete(f"/api/products/{vase.id}")

    (seller,) = inside(app, report_service.best_sellers, utc_now())

    assert (seller.sku, seller.name, seller.units) == ("JAR", "Jar", 2)
    assert f"/admin/products/{vase.id}" not in staff.get("/admin").text


def test_low_stock_counts_what_can_be_sold(app, customer, mug):
    inside(app, factories.product, sku="PLENTY", stock=500)
    inside(app, factories.product, sku="OFF", stock=0, is_active=False)
    order(customer, mug, quantity=17)

    scarce = inside(app, report_service.low_stock, 3)

    assert [(variant.sku, variant.available) for variant in scarce] == [("MUG-RED", 3)]


def test_the_dashboard_costs_the_same_at_any_size(app, staff, customer, mug):
    order(customer, mug)
    few = statements_for(app, lambda: staff.get("/admin"))
    for _ in range(5):
        order(customer, inside(app, factories.product))

    assert statements_for(app, lambda: staff.get("/admin")) == few


@pytest.mark.parametrize("q", ["number", SHOPPER, "MUG-RED", "ann@"])
def test_orders_are_found_by_number_email_and_sku(app, staff, mug, q):
    wanted = guest_order(Caller(app), mug)["number"]
    change_email(app, wanted, SHOPPER)
    other = guest_order(Caller(app), inside(app, factories.product))["number"]

    page = staff.get("/admin/orders", query_string={"q": wanted if q == "number" else q}).text

    assert wanted in page
    assert other not in page


def test_a_sku_is_found_beside_an_email_that_is_called_so(app, staff, mug):
    with_sku = guest_order(Caller(app), mug)["number"]
    with_email = guest_order(Caller(app), inside(app, factories.product))["number"]
    change_email(app, with_email, "mug-red@example.com")

    page = staff.get("/admin/orders?q=MUG-RED").text

    assert with_sku in page
    assert with_email in page


def change_email(app, number, email):
    found = next(row for row in rows(app, Order) if row.number == number)
    change(app, found, email=email)


def test_orders_are_filtered_by_status_and_odd_filters_are_no_filters(staff, placed):
    assert placed["number"] in staff.get("/admin/orders?status=pending").text
    assert "No order fits" in staff.get("/admin/orders?status=shipped").text
    for odd in ("status=lost", "page=x", "page=0", "page=99999999", "q=%00"):
        assert staff.get(f"/admin/orders?{odd}").status_code == 200


def test_an_order_shows_its_lines_its_history_and_where_it_can_go(staff, placed):
    page = staff.get(f"/admin/orders/{placed['number']}").text

    for words in ("MUG-RED", "Red mug", "$25.00", "Placed", "Start packing", "Cancel it"):
        assert words in page
    assert "It is delivered" not in page


def test_an_order_is_moved_along_with_a_word(app, staff, placed):
    path = f"/admin/orders/{placed['number']}"
    staff.get(path)
    page = staff.follow(staff.send(path, status="processing", note="Packed by Kim")).text

    assert "The order is processing now." in page
    assert "Packed by Kim" in page
    last = rows(app, OrderEvent)[-1]
    assert (last.status, last.done_by) == ("processing", "staff")
    assert events(app) == [("order.status_changed", {"status": ["pending", "processing"]})]


def test_a_second_click_moves_an_order_once_and_says_no_other(app, staff, placed):
    path = f"/admin/orders/{placed['number']}"
    form = form_of(staff.get(path).text, path)
    sent = {**hidden_fields(form), "status": "processing", "note": ""}

    answers = [staff.client.post(path, data=sent) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [303, 303]
    assert "The order is processing now." in staff.follow(answers[1]).text
    assert len(rows(app, OrderEvent)) == 2


def test_a_step_that_cannot_be_is_told_and_changes_nothing(app, staff, placed):
    path = f"/admin/orders/{placed['number']}"
    staff.get(path)
    response = staff.send(path, status="delivered", note="Hm")

    assert response.status_code == 409
    assert "cannot become delivered" in response.text
    assert "Hm" in response.text
    assert {row.status for row in rows(app, Order)} == {"pending"}
    assert staff.send(path, status="lost").status_code == 422


def test_several_orders_are_moved_each_for_itself(app, staff, admin, customer, mug, placed):
    done = order(customer, mug).json
    move(admin, done, "processing", "shipped")
    staff.get("/admin/orders?status=&endpoint=x")
    response = staff.send(
        "/admin/orders?status=&amp;page=1",
        order=[placed["number"], done["number"]],
        status="cancelled",
    )
    page = staff.follow(response).text

    assert "1 order is cancelled now." in page
    assert "cannot become cancelled" in page
    assert stock(app, mug) == (19, 0)


def test_a_second_click_on_several_says_no_other(app, staff, customer, mug, placed):
    path, numbers = "/admin/orders?page=1", [placed["number"], order(customer, mug).json["number"]]
    token = hidden_fields(form_of(staff.get(path).text, path) or "")
    sent = {**token, "status": "processing", "order": [*numbers, numbers[0]]}

    answers = [staff.client.post(path, data=sent) for _ in range(2)]

    page = staff.follow(answers[1]).text
    assert "2 orders are processing now." in page
    assert "cannot become" not in page
    assert len(events(app)) == 2


def test_moving_nothing_says_so(staff, placed):
    staff.get("/admin/orders")
    response = staff.send("/admin/orders?page=1", status="shipped")

    assert "Choose orders" in staff.follow(response).text


def test_the_packing_slip_shows_what_to_pack_and_no_prices(staff, placed):
    page = staff.get(f"/admin/orders/{placed['number']}/packing-slip").text

    assert "MUG-RED" in page
    assert "$" not in page


def test_an_order_that_is_not_there_is_not_found(staff):
    assert staff.get("/admin/orders/SW-0000-0000-0000").status_code == 404


def test_the_list_costs_the_same_at_any_length(app, staff, customer, mug):
    order(customer, mug)
    few = statements_for(app, lambda: staff.get("/admin/orders"))
    for _ in range(6):
        order(customer, mug)

    assert statements_for(app, lambda: staff.get("/admin/orders")) == few

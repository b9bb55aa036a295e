"""The accountant's reports: their sums are the orders' to the unit."""

import csv
import io
from datetime import date, timedelta

import pytest

from app.domain.clock import utc_now
from app.models import Order
from app.services.operations import revenue_report
from tests import factories
from tests.integration.people import change, inside, rows
from tests.integration.pricing.shop import created, method, rate, settings, to
from tests.integration.pricing.test_promotions import code, enter
from tests.integration.shopping import fill
from tests.integration.staff import signed_in_staff

REPORTS = "/admin/reports"


@pytest.fixture
def sold(app, admin, customer):
    """Five orders: to Germany on two days, with a code, to Canada with two taxes, and one cancelled."""
    settings(admin, country="DE", prices_include_tax=False)
    rate(admin, "DE", "19")
    rate(admin, "CA", "5", name="GST")
    rate(admin, "CA", "9.975", name="QST", region="QC")
    ways = {"DE": method(admin, "DE")["id"], "CA": method(admin, "CA", price="9.99")["id"]}
    code(admin, value="33.333")
    with app.app_context():
        mug = factories.product(price=1999, stock=100)
    numbers = []
    for country, region, codes in (
        ("DE", "", 0),
        ("DE", "", 1),
        ("CA", "QC", 0),
        ("DE", "", 0),
        ("DE", "", 0),
    ):
        fill(customer, mug, 3)
        if codes:
            enter(customer)
        sent = {"shipping_address": to(country, region=region), "shipping_method_id": ways[country]}
        numbers.append(created(customer.post("/api/orders", json=sent))["number"])
    admin.post(f"/api/orders/{numbers[-1]}/cancel", json={})
    first = next(row for row in rows(app, Order) if row.number == numbers[0])
    change(app, first, placed_at=utc_now() - timedelta(days=1))
    return numbers


def cells(text):
    return list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))


def test_the_sums_are_those_of_the_orders(app, sold):
    today = utc_now().date()
    sales = inside(app, revenue_report.sales, today - timedelta(days=1), today)
    orders = [row for row in rows(app, Order) if row.status != "cancelled"]
    assert [(row.country, row.orders) for row in sales] == [("DE", 1), ("CA", 1), ("DE", 2)]
    for name, column in (("subtotal", "subtotal"), ("discounts", "discount_total"),
                         ("shipping", "shipping_total"), ("tax", "tax_total"), ("total", "total")):  # fmt: skip
        expected = sum(getattr(order, column) for order in orders)
        assert sum(getattr(row, name) for row in sales) == expected
        assert expected > 0
    taxes = inside(app, revenue_report.taxes, today - timedelta(days=1), today)
    assert sum(row.tax for row in taxes) == sum(order.tax_total for order in orders)
    assert {(row.country, row.name, row.rate) for row in taxes} == {
        ("DE", "VAT", 19000), ("CA", "GST", 5000), ("CA", "QST", 9975),
    }  # fmt: skip
    canada = next(row for row in sales if row.country == "CA")
    assert {row.taxable for row in taxes if row.country == "CA"} == {canada.net}


def test_files_have_the_same_rows(app, sold):
    clerk = signed_in_staff(app)
    today = utc_now().date()
    query = f"first={today - timedelta(days=1)}&last={today}"
    sales = cells(clerk.get(f"{REPORTS}/sales.csv?{query}").text)
    assert [(row["country"], row["orders"]) for row in sales] == [
        ("DE", "1"),
        ("CA", "1"),
        ("DE", "2"),
    ]
    canada = sales[1]
    assert (canada["goods"], canada["shipping"], canada["net"]) == ("59.97", "9.99", "69.96")
    assert (canada["tax"], canada["total"], canada["currency"]) == ("10.48", "80.44", "USD")
    taxes = cells(clerk.get(f"{REPORTS}/taxes.csv?{query}").text)
    assert [(row["tax"], row["rate"], row["amount"]) for row in taxes if row["country"] == "CA"] == [
        ("GST", "5", "3.50"), ("QST", "9.975", "6.98"),
    ]  # fmt: skip
    page = clerk.get(f"{REPORTS}?{query}").text
    assert "Canada" in page
    assert "$80.44" in page


@pytest.mark.parametrize(
    "query",
    ["", "first=9999-12-31&last=9999-12-31", "first=0001-01-01&last=0001-01-01", "first=x&last=y",
     "first=2026-12-31&last=2026-01-01", "first=0001-01-01"],
)  # fmt: skip
def test_any_period_is_answered(app, query):
    clerk = signed_in_staff(app)
    for path in (REPORTS, f"{REPORTS}/sales.csv", f"{REPORTS}/taxes.csv"):
        answer = clerk.get(f"{path}?{query}")
        assert answer.status_code == 200
        assert answer.text


def test_days_without_orders_have_no_rows(app, sold):
    assert inside(app, revenue_report.sales, date(2020, 1, 1), date(2020, 12, 31)) == []


def test_amounts_of_any_size_are_summed(app, sold):
    """Totals whose sum does not fit 64 bits."""
    huge = 8 * 10**18
    for row in rows(app, Order)[1:3]:
        change(app, row, shipping_total=huge, total=row.total - row.shipping_total + huge)
    today = utc_now().date()
    sales = inside(app, revenue_report.sales, today, today)
    assert sum(row.shipping for row in sales) > 2 * huge
    for row in rows(app, Order)[1:3]:
        change(app, row, shipping_total=0, total=row.total - huge)

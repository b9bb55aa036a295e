"""Reports for the accountant: revenue by day and country, and taxes, as pages and as files."""

from datetime import date, timedelta
from typing import Any

from flask import Response
from marshmallow import fields as ma

from app.db.unit_of_work import in_transaction
from app.domain.clock import utc_now
from app.domain.money import to_text
from app.domain.pricing.percent import percent_text
from app.pages.admin.base import AdminBlueprint, admin_page, read_query
from app.pages.downloads import csv_file
from app.schemas.base import QuerySchema, store_currency
from app.services.audit import security_log
from app.services.operations import revenue_report
from app.services.operations.revenue_report import SalesRow, TaxRow
from app.web.callers.identity import current_actor

blp = AdminBlueprint("reports", __name__, url_prefix="/admin/reports")
MAX_DAYS = 366
SALES = (
    "day", "country", "orders", "goods", "discounts", "shipping", "net", "tax", "total", "currency",
)  # fmt: skip
TAXES = ("day", "country", "tax", "rate", "orders", "taxable", "amount", "currency")


class ReportArgs(QuerySchema):
    """The first and the last day of a report."""

    first = ma.Date(load_default=None)
    last = ma.Date(load_default=None)


@blp.get("")
def show() -> Response:
    """Revenue and taxes of a period; without one, of this month."""
    first, last = _period()
    sales, taxes = revenue_report.sales(first, last), revenue_report.taxes(first, last)
    return admin_page(
        "reports.html", first=first, last=last, sales=sales, taxes=taxes, max_days=MAX_DAYS,
        total=_total(sales), tax_total=sum(row.tax for row in taxes),
    )  # fmt: skip


@blp.get("/sales.csv")
def download_sales() -> Response:
    """Revenue of a period by day and country, as a file."""
    first, last = _period()
    _log("revenue")
    currency = store_currency()
    rows = (_sales_cells(row, currency) for row in revenue_report.sales(first, last))
    return csv_file(f"sales-{first}-{last}.csv", SALES, rows)


@blp.get("/taxes.csv")
def download_taxes() -> Response:
    """Taxes of a period by day, country, name and rate, as a file."""
    first, last = _period()
    _log("taxes")
    currency = store_currency()
    rows = (_tax_cells(row, currency) for row in revenue_report.taxes(first, last))
    return csv_file(f"taxes-{first}-{last}.csv", TAXES, rows)


def _period() -> tuple[date, date]:
    """The first and the last day that are asked for; MAX_DAYS at most, up to the last one."""
    args: dict[str, Any] = read_query(ReportArgs())
    today = utc_now().date()
    last = min(args["last"] or today, today)
    first = args["first"] or last.replace(day=1)
    earliest = date.min if last.toordinal() < MAX_DAYS else last - timedelta(days=MAX_DAYS - 1)
    return max(earliest, min(first, last)), last


def _log(what: str) -> None:
    actor = current_actor()
    in_transaction(lambda: security_log.record_of(actor, security_log.EXPORTED, what))


def _total(rows: list[SalesRow]) -> dict[str, int]:
    names = ("orders", "subtotal", "discounts", "shipping", "net", "tax", "total")
    return {name: sum(getattr(row, name) for row in rows) for name in names}


def _sales_cells(row: SalesRow, currency: str) -> tuple[str | int, ...]:
    amounts = (row.subtotal, row.discounts, row.shipping, row.net, row.tax, row.total)
    texts = (to_text(amount, currency) for amount in amounts)
    return str(row.day), row.country, row.orders, *texts, currency


def _tax_cells(row: TaxRow, currency: str) -> tuple[str | int, ...]:
    amounts = to_text(row.taxable, currency), to_text(row.tax, currency)
    rate = percent_text(row.rate)
    return str(row.day), row.country, row.name, rate, row.orders, *amounts, currency

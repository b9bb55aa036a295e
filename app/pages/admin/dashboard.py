"""Today: the open orders, and the figures of the last 30 days."""

from flask import Response, current_app

from app.domain.clock import utc_now
from app.pages.admin import chart
from app.pages.admin.base import AdminBlueprint, admin_page
from app.pages.admin.settings import missing_settings
from app.services.operations import report_service

blp = AdminBlueprint("dashboard", __name__, url_prefix="/admin")


@blp.get("")
def show() -> Response:
    """Orders to fulfil, sales by day, low stock and best sellers."""
    now = utc_now()
    open_count, oldest = report_service.open_orders()
    days = report_service.days(now)
    names = ("orders", "revenue", "tax", "shipping", "discounts")
    month = {name: sum(getattr(day, name) for day in days) for name in names}
    return admin_page(
        "dashboard.html",
        missing=missing_settings(),
        open_count=open_count,
        oldest=oldest,
        days=list(zip(days, chart.bars([day.revenue for day in days]), strict=True)),
        chart=chart,
        month=month,
        average=round(month["revenue"] / month["orders"]) if month["orders"] else 0,
        low_stock=report_service.low_stock(current_app.config["STORE_LOW_STOCK"]),
        best_sellers=report_service.best_sellers(now),
    )

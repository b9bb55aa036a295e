"""Mails about orders."""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

from babel.dates import format_date
from flask import current_app
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.domain.countries import country_name
from app.extensions import db
from app.models import Order
from app.services.orders import order_links
from app.web.mails.links import SAMPLE_TOKEN, link
from app.web.mails.templates import MailTemplate, NoSubject, Values, add_template
from app.web.order_sums import sums_of


class LineOfMail(NamedTuple):
    """One article of an order."""

    name: str
    options: str
    quantity: int
    total: int


class OrderOfMail(NamedTuple):
    """An order as its mails show it."""

    number: str
    placed_at: datetime
    lines: list[LineOfMail]
    totals: list[tuple[str, int]]
    total: int
    address: list[str]
    facts: list[tuple[str, str]]
    """Number and date, and how it is tracked."""
    link: str


def load_order(context: Mapping[str, Any]) -> Values:
    """An order by its number. Its link opens a guest's order; a customer's asks to sign in.

    Raises:
        NoSubject: the order's person is erased.
    """
    number = context["order"]
    parts = (Order.lines, Order.discounts, Order.taxes)
    query = select(Order).where(Order.number == number).options(*map(selectinload, parts))
    order = db.session.scalar(query)
    if order is None or order.email is None:
        raise NoSubject("The order's person is erased.")
    token = order_links.link_token(number)
    address = link("order_pages.show_order", number=number, **({"token": token} if token else {}))
    return {"order": _view(order, address)}


def _view(order: Order, address: str) -> OrderOfMail:
    lines = [
        LineOfMail(line.name, " · ".join(line.options.values()), line.quantity, line.line_total)
        for line in order.lines
    ]
    sums = sums_of(order, order.shipping_method_name)
    totals = [*sums.rows, ("Total", sums.total)]
    return OrderOfMail(
        order.number, order.placed_at, lines, totals, order.total,
        _address_lines(order.shipping_address or {}), _facts(order.number, order.placed_at), address,
    )  # fmt: skip


def _address_lines(address: Mapping[str, str]) -> list[str]:
    city = " ".join(address.get(name, "") for name in ("postal_code", "city")).strip()
    lines = [address.get(name, "") for name in ("name", "line1", "line2")]
    country = country_name(address.get("country", ""), current_app.config["STORE_LOCALE"])
    lines += [city, address.get("region", ""), country]
    return [line for line in lines if line]


def _facts(number: str, placed_at: datetime) -> list[tuple[str, str]]:
    date = format_date(placed_at, "long", locale=current_app.config["STORE_LOCALE"])
    return [("Order", number), ("Placed on", date)]


def sample_order() -> Values:
    """An order for previews."""
    number, placed_at = "SW-7K2M-0QXD-94TV", datetime(2026, 11, 30, 14, 5, tzinfo=timezone.utc)
    lines = [
        LineOfMail("Hooded sweatshirt", "M · Navy", 2, 11800),
        LineOfMail("Wool hat & “café” scarf <gift set>", "", 1, 3950),
    ]
    totals = [("Subtotal", 15750), ("Shipping", 490), ("Total", 16240)]
    address = {
        "name": "Zoë Müller-O’Hara", "line1": "12 Harbour Street", "line2": "Flat 3",
        "postal_code": "20457", "city": "Hamburg", "country": "DE",
    }  # fmt: skip
    opening = link("order_pages.show_order", number=number, token=SAMPLE_TOKEN)
    return {
        "order": OrderOfMail(
            number, placed_at, lines, totals, 16240,
            _address_lines(address), _facts(number, placed_at), opening,
        )
    }  # fmt: skip


for _name, _title in (
    ("order_placed", "Order received"),
    ("order_cancelled", "Order cancelled"),
    ("order_shipped", "Order shipped"),
):
    add_template(MailTemplate(_name, _title, load_order, sample_order))

"""Orders for staff: list, show, change the status of one or several, print a packing slip."""

from typing import Any

from flask import Response, flash, request, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.domain.order_status import ALLOWED, STATUSES, OrderStatus
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound, ShopError
from app.pages.admin.base import AdminBlueprint, admin_form, admin_page, once, page_href, read_query
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.base import Number, QuerySchema, Text
from app.schemas.orders import ChangeStatusSchema
from app.services import order_service, user_service
from app.services.order_service import Visitor
from app.services.orders import order_lists
from app.services.orders.order_lists import OrderQuery
from app.web.callers.identity import current_actor

blp = AdminBlueprint("orders", __name__, url_prefix="/admin/orders")
CHANGE_STATUS = ChangeStatusSchema()
PER_PAGE = 25
MAX_AT_ONCE = PER_PAGE


class OrderArgs(QuerySchema):
    """The filter of the list of orders."""

    status = fields.String(validate=OneOf(STATUSES))
    q = Text(254)
    page = Number(1, MAX_DEPTH, load_default=1)


ARGS = OrderArgs()


@blp.get("")
def list_orders() -> Response:
    """Orders by status and by what `OrderQuery` finds, newest first."""
    arguments = read_query(ARGS)
    query = OrderQuery(arguments.get("status"), q=arguments.get("q", ""))
    number = min(arguments["page"], MAX_DEPTH // PER_PAGE)
    orders = order_lists.page_of_orders(current_actor(), query, number, PER_PAGE)
    return admin_page(
        "orders.html", orders=orders, query=query, statuses=STATUSES, page_href=page_href(ARGS)
    )


@blp.post("")
def move_several() -> Response:
    """Change the status of the chosen orders, each by itself: a refusal does not stop the others."""
    target = "cancelled" if "cancel" in request.form else request.form.get("status", "")
    numbers = dict.fromkeys(request.form.getlist("order"))
    if target not in STATUSES or not numbers:
        flash("Choose orders, and what they become.", "error")
    else:
        _move_all(current_actor(), list(numbers)[:MAX_AT_ONCE], target)
    return see_other(url_for(".list_orders", **read_query(ARGS)))


@blp.get("/<number>")
def show_order(number: str) -> Response:
    """One order with its history."""
    return _show(number, Form())


@blp.post("/<number>")
def move(number: str) -> Response:
    """Change the status of one order, with a note for its history."""
    visitor, form = Visitor(current_actor()), Form.from_request()

    def change_status(values: dict[str, Any]) -> int:
        status, note = values["status"], values["note"]
        return once(lambda: order_service.change_status(visitor, number, status, note).id)

    if form.carry_out(CHANGE_STATUS, change_status) is None:
        return _show(number, form)
    order = order_service.get_order(visitor, number)
    flash(f"The order is {order.status} now.")
    return see_other(url_for(".show_order", number=order.number))


@blp.get("/<number>/packing-slip")
def packing_slip(number: str) -> Response:
    """What to put into the parcel, for printing."""
    order = order_service.get_order(Visitor(current_actor()), number)
    return admin_page("packing_slip.html", order=order)


def _show(number: str, form: Form) -> Response:
    order = order_service.get_order(Visitor(current_actor()), number)
    try:
        buyer = user_service.get_user(order.user_id) if order.user_id else None
    except NotFound:  # the account is closed
        buyer = None
    return admin_form("order.html", form, order=order, buyer=buyer, steps=ALLOWED[order.status])


def _move_all(actor: Actor, numbers: list[str], target: OrderStatus) -> None:
    outcomes = {number: _try_to_move(actor, number, target) for number in numbers}
    count = sum(refusal is None for refusal in outcomes.values())
    if count:
        flash(f"{count} {'order is' if count == 1 else 'orders are'} {target} now.")
    for number, refusal in outcomes.items():
        if refusal is not None:
            flash(f"{number}: {refusal.detail}", "error")


def _try_to_move(actor: Actor, number: str, target: OrderStatus) -> ShopError | None:
    try:
        once(lambda: order_service.change_status(Visitor(actor), number, target).id, number)
    except (Conflict, NotFound) as refusal:
        return refusal
    return None

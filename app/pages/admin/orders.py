"""Orders for staff: found, looked at, moved along one by one or several at once, packed."""

from typing import Any

from flask import Response, flash, request, url_for
from marshmallow import fields
from marshmallow.validate import OneOf

from app.db.paging import MAX_DEPTH
from app.domain.order_status import ALLOWED, STATUSES, OrderStatus
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound, ShopError
from app.pages.admin.base import (
    AdminBlueprint,
    admin_form,
    admin_page,
    once,
    page_href,
    read_query,
)
from app.pages.blueprint import see_other
from app.pages.forms import Form
from app.schemas.base import Number, QuerySchema, Text
from app.schemas.orders import ChangeStatusSchema
from app.services import order_service, user_service
from app.services.order_service import Visitor
from app.services.orders import order_lists
from app.services.orders.order_lists import Filters
from app.web.callers.identity import current_actor

blp = AdminBlueprint("orders", __name__, url_prefix="/admin/orders")
STEP = ChangeStatusSchema()
PER_PAGE = 25
MAX_AT_ONCE = PER_PAGE


class OrderSieve(QuerySchema):
    """Which orders are looked for."""

    status = fields.String(validate=OneOf(STATUSES))
    q = Text(254)
    page = Number(1, MAX_DEPTH, load_default=1)


SIEVE = OrderSieve()


@blp.get("")
def list_orders() -> Response:
    """Orders by status, number, email or SKU, newest first."""
    wanted = read_query(SIEVE)
    filters = Filters(wanted.get("status"), q=wanted.get("q", ""), q_is_sku_too=True)
    number = min(wanted["page"], MAX_DEPTH // PER_PAGE)
    found = order_lists.page_of_orders(current_actor(), filters, number, PER_PAGE)
    return admin_page(
        "orders.html", found=found, filters=filters, statuses=STATUSES, page_href=page_href(SIEVE)
    )


@blp.post("")
def move_several() -> Response:
    """Move the chosen orders, each for itself: one that cannot go keeps none of the others."""
    target, numbers = request.form.get("status", ""), dict.fromkeys(request.form.getlist("order"))
    if target not in STATUSES or not numbers:
        flash("Choose orders, and what they become.", "error")
    else:
        _move_all(current_actor(), list(numbers)[:MAX_AT_ONCE], target)
    return see_other(url_for(".list_orders", **read_query(SIEVE)))


@blp.get("/<number>")
def show_order(number: str) -> Response:
    """One order with everything that happened to it."""
    return _show(number, Form())


@blp.post("/<number>")
def move(number: str) -> Response:
    """Move one order along, with a word for its history."""
    visitor, form = Visitor(current_actor()), Form.from_request()

    def step(wishes: dict[str, Any]) -> int:
        status, note = wishes["status"], wishes["note"]
        return once(lambda: order_service.change_status(visitor, number, status, note).id)

    if form.carry_out(STEP, step) is None:
        return _show(number, form)
    moved = order_service.get_order(visitor, number)
    flash(f"The order is {moved.status} now.")
    return see_other(url_for(".show_order", number=moved.number))


@blp.get("/<number>/packing-slip")
def packing_slip(number: str) -> Response:
    """What goes into the parcel, to be printed."""
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
    moved, refusals = 0, []
    for number in numbers:
        refusal = _try_to_move(actor, number, target)
        moved += refusal is None
        if refusal is not None:
            refusals.append(f"{number}: {refusal.detail}")
    if moved:
        flash(f"{moved} {'order is' if moved == 1 else 'orders are'} {target} now.")
    for words in refusals:
        flash(words, "error")


def _try_to_move(actor: Actor, number: str, target: OrderStatus) -> ShopError | None:
    try:
        once(lambda: order_service.change_status(Visitor(actor), number, target).id, number)
    except (Conflict, NotFound) as refusal:
        return refusal
    return None

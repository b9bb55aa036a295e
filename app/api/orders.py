"""Doors of orders: placing, reading, cancelling; for staff, moving them along."""

from typing import Any

import orjson
from flask import Response, jsonify, url_for
from flask.typing import ResponseReturnValue

from app.db.unit_of_work import in_transaction
from app.domain.people.tokens import guest_order_token
from app.models import Order
from app.schemas.base import store_currency
from app.schemas.orders import (
    CancelSchema,
    ChangeStatusSchema,
    OrderListArgs,
    OrderSchema,
    PlacedOrderSchema,
    PlaceOrderSchema,
    show_order,
)
from app.schemas.paging import list_schema
from app.services import order_service
from app.services.buying import checkout_service
from app.services.buying.checkout_service import Receipt, Wishes
from app.services.order_service import Visitor
from app.services.orders import order_lists
from app.services.orders.order_lists import Filters
from app.services.orders.order_views import OrderView
from app.utils.decorators import admin_required, login_or_token_required, login_required
from app.web.blueprints import ShopBlueprint
from app.web.callers.buyers import (
    CART_TOKEN,
    IDEMPOTENCY_KEY,
    ORDER_TOKEN,
    current_buyer,
    guest_origin,
    header,
    keyed_request,
    sent_order_token,
)
from app.web.callers.identity import current_actor
from app.web.pagination import page_answer, slice_answer

blp = ShopBlueprint("orders", __name__, url_prefix="/api/orders", private=True)
BUYERS: list[dict[str, list[str]]] = [{"bearer": []}, {"cart_token": []}]
OWNERS: list[dict[str, list[str]]] = [{"bearer": []}, {"order_token": []}]
KEY = header(
    IDEMPOTENCY_KEY,
    "A request with the same key and body is carried out once within 24 hours.",
    255,
)


@blp.post("")
@blp.doc(parameters=[KEY], security=BUYERS)
@login_or_token_required(CART_TOKEN)
@blp.arguments(PlaceOrderSchema(), required=False)
@blp.response(201, PlacedOrderSchema)
def place_order(wishes: dict[str, Any]) -> Response:
    """Turn the caller's cart into an order, completely or not at all."""
    buyer, request, currency = current_buyer(), keyed_request(), store_currency()
    origin = guest_origin()
    receipt = in_transaction(
        lambda: checkout_service.place_order(
            buyer, Wishes(**wishes), currency, _dump, origin, request
        )
    )
    return _answer(receipt, buyer.guest_token)


@blp.get("")
@login_required
@blp.arguments(OrderListArgs(), location="query")
@blp.response(200, list_schema(OrderSchema, cursors=True))
def list_orders(wanted: dict[str, Any]) -> ResponseReturnValue:
    """The caller's orders, newest first. Staff see all orders."""
    cursor, page, per_page = (wanted.pop(name) for name in ("cursor", "page", "per_page"))
    filters = Filters(**wanted)
    if cursor is not None:
        part = order_lists.slice_of_orders(current_actor(), filters, cursor, per_page)
        body, links = slice_answer(part, [show_order(order) for order in part.items])
    else:
        found = order_lists.page_of_orders(current_actor(), filters, page or 1, per_page)
        body, links = page_answer(found, [show_order(order) for order in found.items])
    return jsonify(body), 200, links


@blp.get("/<order>")
@blp.doc(security=OWNERS)
@login_or_token_required(ORDER_TOKEN)
@blp.response(200, OrderSchema)
def get_order(order: str) -> Response:
    """One order, by id or number."""
    return _show(order_service.get_order(_visitor(), order))


@blp.post("/<order>/cancel")
@blp.doc(security=OWNERS)
@login_or_token_required(ORDER_TOKEN)
@blp.arguments(CancelSchema(), required=False)
@blp.response(200, OrderSchema)
def cancel_order(wanted: dict[str, Any], order: str) -> Response:
    """Cancel an order that has not been shipped. Its units can be sold again."""
    cancelled = in_transaction(
        lambda: order_service.change_status(_visitor(), order, "cancelled", **wanted)
    )
    return _show(cancelled)


@blp.route("/<order>/status", methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(ChangeStatusSchema())
@blp.response(200, OrderSchema)
def change_status(wanted: dict[str, Any], order: str) -> Response:
    """Change the status of an order."""
    moved = in_transaction(
        lambda: order_service.change_status(_visitor(), order, wanted["status"], wanted["note"])
    )
    return _show(moved)


def _visitor() -> Visitor:
    return Visitor(current_actor(), sent_order_token())


def _dump(order: OrderView) -> bytes:
    return orjson.dumps(show_order(order))


def _show(order: Order) -> Response:
    return jsonify(show_order(order))


def _answer(receipt: Receipt, cart_token: str | None) -> Response:
    """The answer as stored. A guest's secret is added each time, so that it is never stored."""
    body = receipt.answer
    order = orjson.loads(body)
    if cart_token is not None:
        token = guest_order_token(cart_token, order["number"])
        body = orjson.dumps({**order, "guest_token": token})
    response = Response(body, 201, mimetype="application/json")
    response.headers["Location"] = url_for("orders.get_order", order=order["number"])
    if receipt.replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response

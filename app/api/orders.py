"""Routes of orders: place, read, cancel; for staff, change the status."""

from typing import Any

import orjson
from flask import Response, current_app, jsonify, url_for
from flask.typing import ResponseReturnValue

from app.db.paging import Page, Slice
from app.db.unit_of_work import in_transaction
from app.domain.people.tokens import guest_order_token, hash_token
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
from app.services.buying.checkout_service import OrderRequest, PlacedOrder
from app.services.messages import idempotency
from app.services.order_service import Visitor
from app.services.orders import order_lists
from app.services.orders.order_lists import OrderQuery
from app.services.orders.order_views import OrderView
from app.utils.decorators import admin_required, login_or_token_required, login_required
from app.web.blueprints import ShopBlueprint
from app.web.callers.buyers import (
    CART_TOKEN,
    ORDER_TOKEN,
    current_buyer,
    current_order_token,
    guest_origin,
)
from app.web.callers.identity import current_actor
from app.web.keyed_requests import REPLAYED, once, order_request, takes_key
from app.web.pagination import list_body
from app.web.preconditions import without_etag

blp = ShopBlueprint("orders", __name__, url_prefix="/api/orders", private=True)
BUYERS: list[dict[str, list[str]]] = [{"bearer": []}, {"cart_token": []}]
OWNERS: list[dict[str, list[str]]] = [{"bearer": []}, {"order_token": []}]


@blp.post("")
@blp.doc(security=BUYERS)
@login_or_token_required(CART_TOKEN)
@blp.arguments(PlaceOrderSchema(), required=False)
@blp.response(201, PlacedOrderSchema)
@takes_key
def place_order(values: dict[str, Any]) -> Response:
    """Turn the caller's cart into an order, completely or not at all."""
    buyer, keyed = current_buyer(), order_request()
    currency, origin = store_currency(), guest_origin()
    needs_verified = current_app.config["REQUIRE_EMAIL_VERIFIED"]
    order = in_transaction(
        without_etag(
            lambda: checkout_service.place_once(
                buyer, OrderRequest(**values), currency, origin, keyed, _dump, needs_verified
            ),
            creates=True,
        )
    )
    return _created(order, buyer.guest_token)


def _dump(order: OrderView) -> bytes:
    return orjson.dumps(show_order(order))


def _created(order: PlacedOrder, cart_token: str | None) -> Response:
    """The response with a guest's secret, which is derived each time, so that it is not stored."""
    body = order.answer
    if cart_token is not None:
        token = orjson.dumps(guest_order_token(cart_token, order.number))
        body = body.removesuffix(b"}") + b',"guest_token":' + token + b"}"
    response = Response(body, 201, mimetype="application/json")
    response.headers["Location"] = url_for("orders.get_order", order=order.number)
    if order.is_replay:
        response.headers[REPLAYED] = "true"
    return response


@blp.get("")
@login_required
@blp.arguments(OrderListArgs(), location="query")
@blp.response(200, list_schema(OrderSchema))
def list_orders(arguments: dict[str, Any]) -> ResponseReturnValue:
    """The caller's orders, newest first. Staff see all orders."""
    cursor, number, per_page = (arguments.pop(name) for name in ("cursor", "page", "per_page"))
    query = OrderQuery(**arguments)
    part: Page[OrderView] | Slice[OrderView]
    if cursor is not None:
        part = order_lists.slice_of_orders(current_actor(), query, cursor, per_page)
    else:
        part = order_lists.page_of_orders(current_actor(), query, number or 1, per_page)
    body, links = list_body(part, [show_order(order) for order in part.items])
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
@takes_key
def cancel_order(values: dict[str, Any], order: str) -> Response:
    """Cancel an order that has not been shipped. Its units can be sold again."""
    visitor = _visitor()

    def cancel() -> tuple[Response, int]:
        row = order_service.change_status(visitor, order, "cancelled", **values)
        return _show(row), row.id

    return once(without_etag(cancel), _scope_of(visitor))


@blp.route("/<order>/status", methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(ChangeStatusSchema())
@blp.response(200, OrderSchema)
def change_status(values: dict[str, Any], order: str) -> Response:
    """Change the status of an order."""
    visitor, status, note = _visitor(), values["status"], values["note"]
    row = in_transaction(
        without_etag(lambda: order_service.change_status(visitor, order, status, note))
    )
    return _show(row)


def _scope_of(visitor: Visitor) -> str | None:
    """Whose idempotency keys these are, where it is not the account."""
    if visitor.actor.user_id is not None or visitor.order_token is None:
        return None
    return idempotency.scope_of_order(hash_token(visitor.order_token))


def _visitor() -> Visitor:
    return Visitor(current_actor(), current_order_token())


def _show(order: Order) -> Response:
    return jsonify(show_order(order))

"""Routes of the cart: a customer's by their Bearer token, a guest's by `X-Cart-Token`."""

from typing import Any

from flask import Response, request, url_for

from app.db.unit_of_work import in_transaction
from app.errors import unless_refused
from app.schemas.base import store_currency
from app.schemas.cart import AddItemSchema, CartSchema, ChangeItemSchema, show_cart
from app.schemas.promotions import CartCodeSchema
from app.schemas.quote import QuoteRequestSchema, QuoteSchema, show_quote
from app.services.buying import cart_codes, cart_contents, cart_service, quotes
from app.services.buying.cart_contents import CartContents
from app.services.buying.quotes import QuoteRequest
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.buyers import CART_TOKEN, current_buyer
from app.web.keyed_requests import once, refuses_key, takes_key
from app.web.limits import rate_limits
from app.web.preconditions import without_etag

blp = ShopBlueprint("cart", __name__, url_prefix="/api/cart", private=True)
WELCOME: list[dict[str, list[str]]] = [{"bearer": []}, {"cart_token": []}, {}]
NEW_TOKEN = {
    CART_TOKEN: {
        "description": "Sent where a guest's cart was opened: the secret to send from then on.",
        "schema": {"type": "string"},
    }
}
ITEM = "/items/<int:item_id>"


@blp.get("")
@blp.doc(security=WELCOME)
@blp.response(200, CartSchema)
def get_cart() -> Response:
    """The caller's cart at today's prices, or an empty cart."""
    return _answer(cart_contents.read_cart(current_buyer()))


@blp.post("/items")
@rate_limits.limits_guests
@blp.doc(security=WELCOME)
@blp.arguments(AddItemSchema())
@blp.response(201, CartSchema, headers=NEW_TOKEN)
@takes_key
def add_item(values: dict[str, Any]) -> Response:
    """Add a variant to the cart. If it is in the cart already, the quantities add up.

    A guest's cart holds 2,000 different articles, a customer's 5,000; beyond that it is refused with
    409 `cart_full`.
    """
    sender = current_buyer()

    def add() -> Response:
        buyer, contents = cart_service.add_item(
            sender, **values, may_open=rate_limits.count_new_cart
        )
        headers = {"Location": url_for("cart.get_cart")}
        if buyer.guest_token and buyer.guest_token != sender.guest_token:
            headers[CART_TOKEN] = buyer.guest_token
        return _answer(contents, 201, headers)

    return once(without_etag(add, creates=True))


@blp.route(ITEM, methods=["PATCH", "PUT"])
@blp.doc(security=WELCOME)
@blp.arguments(ChangeItemSchema())
@blp.response(200, CartSchema)
def change_item(values: dict[str, Any], item_id: int) -> Response:
    """Set the quantity of a line; 0 removes it."""
    buyer = current_buyer()
    return _answer(
        in_transaction(without_etag(lambda: cart_service.change_item(buyer, item_id, **values)))
    )


@blp.delete(ITEM)
@blp.doc(security=WELCOME)
@blp.response(200, CartSchema)
def remove_item(item_id: int) -> Response:
    """Remove a line."""
    buyer = current_buyer()
    return _answer(
        in_transaction(without_etag(lambda: cart_service.change_item(buyer, item_id, 0)))
    )


@blp.delete("")
@blp.doc(security=WELCOME)
@blp.response(204)
def empty_cart() -> None:
    """Remove every line."""
    in_transaction(without_etag(lambda: cart_service.empty_cart(current_buyer())))


@blp.post("/quote")
@blp.doc(security=WELCOME)
@blp.arguments(QuoteRequestSchema(), required=False)
@blp.response(200, QuoteSchema)
@refuses_key
def get_quote(values: dict[str, Any]) -> Response:
    """What an order of the cart would cost: discounts, shipping, taxes. Nothing is written.

    An order with the same choices has the same total.
    """
    buyer, currency = current_buyer(), store_currency()
    work = without_etag(lambda: quotes.quote(buyer, QuoteRequest(**values), currency))
    quote = work()
    return json_response(show_quote(quote, currency))


@blp.post("/codes")
@rate_limits.limits_guests
@blp.doc(security=WELCOME)
@blp.arguments(CartCodeSchema())
@blp.response(200, CartSchema)
@refuses_key
def add_code(values: dict[str, str]) -> Response:
    """Put a promotion's code into the cart, which has room for 5. Entered twice, it is one."""
    buyer, address = current_buyer(), request.remote_addr
    work = without_etag(lambda: cart_codes.enter_code(buyer, values["code"], address))
    unless_refused(in_transaction(work))
    return _answer(cart_contents.read_cart(buyer))


@blp.delete("/codes/<code>")
@blp.doc(security=WELCOME)
@blp.response(200, CartSchema)
def remove_code(code: str) -> Response:
    """Take a code out of the cart."""
    buyer = current_buyer()
    in_transaction(without_etag(lambda: cart_codes.remove_code(buyer, code)))
    return _answer(cart_contents.read_cart(buyer))


def _answer(
    contents: CartContents, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    # Not dumped by CartSchema, which is slow for the hundreds of lines that a cart may have.
    cart_id, user_id = contents.discounted_cart_id, current_buyer().user_id
    discounts = cart_codes.discounts_of(cart_id, user_id) if cart_id else cart_codes.NO_DISCOUNTS
    return json_response(show_cart(contents, store_currency(), discounts), status, headers)

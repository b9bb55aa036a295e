"""Checkout in three steps: contact and address, a review, and the order itself.

Each form carries all values in hidden fields, none are in the session, so two tabs cannot mix and
nothing personal is left behind. The last form carries an idempotency key: sent twice, it orders
once.
"""

import uuid
from typing import Any

import orjson
from flask import Response, flash, url_for
from marshmallow import EXCLUDE
from marshmallow import fields as ma
from marshmallow.validate import Range, Regexp
from werkzeug.wrappers import Response as AnyResponse

from app.db.unit_of_work import in_transaction
from app.domain.money import to_text
from app.domain.people.tokens import guest_order_token
from app.errors import NotFound
from app.models import Address, User
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.forms import Form
from app.pages.layout import form_page
from app.schemas.auth import Email
from app.schemas.base import Money, ShopSchema, Text, store_currency
from app.schemas.orders import MAX_NOTE, MAX_TOTAL
from app.schemas.users import AddressSchema
from app.services import user_service
from app.services.accounts import address_service
from app.services.buying import cart_contents, checkout_service
from app.services.buying.checkout_service import OrderRequest
from app.services.messages.idempotency import KeyedRequest
from app.services.orders.order_views import OrderView
from app.web.callers.buyers import guest_origin
from app.web.callers.identity import current_actor

blp = PageBlueprint("checkout_page", __name__)
CHECKOUT = "checkout_page.show_checkout"


class NoteForm(ShopSchema):
    """The note, the idempotency key and the total that the buyer saw."""

    note = Text(MAX_NOTE, lines=True, load_default="")
    key = ma.String(validate=Regexp(r"[0-9a-f]{32}\Z"))
    expected_total = Money(high=MAX_TOTAL)


class NewAddressForm(AddressSchema, NoteForm):
    """A customer's order to a new address."""


class GuestForm(NewAddressForm):
    """A guest's order."""

    email = Email(required=True)


class BookForm(NoteForm):
    """A customer's order to an address of the address book."""

    address_id = ma.Integer(required=True, validate=Range(1, 2**63 - 1))


GUEST, NEW_ADDRESS = GuestForm(unknown=EXCLUDE), NewAddressForm(unknown=EXCLUDE)
BOOK = BookForm(unknown=EXCLUDE)


@blp.get("/checkout")
def show_checkout() -> AnyResponse:
    """The form for contact and address."""
    return _details(Form({"address_id": _first_address()}))


@blp.post("/checkout")
def review() -> AnyResponse:
    """The review of the order before it is placed."""
    form = Form.from_request()
    if form.values.pop("change", ""):
        return _details(form)
    order_request = form.carry_out(_schema(form), _order_request, extra_refusals=(NotFound,))
    return _details(form) if order_request is None else _review(form, order_request)


@blp.post("/checkout/order")
def place() -> AnyResponse:
    """Turn the cart into an order, once for each idempotency key."""
    form = Form.from_request()
    number = form.carry_out(_schema(form), _place, extra_refusals=(NotFound,))
    return _refused(form) if number is None else _confirmed(number)


@blp.get("/checkout/order")
def start_again() -> Response:
    """Restart the checkout after a refused order, whose address the browser still shows."""
    return see_other(url_for(CHECKOUT))


def _details(form: Form) -> AnyResponse:
    cart = cart_contents.read_cart_page(cookies.page_buyer()).contents
    if not cart.items:
        return _nothing_to_order()
    is_guest = current_actor().user_id is None
    user, addresses = (None, []) if is_guest else (_user(), _addresses())
    return form_page("checkout.html", form, cart=cart, user=user, addresses=addresses)


def _review(form: Form, order_request: OrderRequest) -> AnyResponse:
    cart = cart_contents.read_cart_page(cookies.page_buyer()).contents
    if not cart.items:
        return _nothing_to_order()
    return form_page(
        "review.html",
        form,
        cart=cart,
        address=_address(order_request),
        email=order_request.email or _user().email,
        total=to_text(cart.subtotal, store_currency()),
        key=uuid.uuid4().hex,
        hidden=_hidden_fields(form),
    )


def _schema(form: Form) -> ShopSchema:
    if current_actor().user_id is None:
        return GUEST
    return BOOK if form.values.get("address_id") else NEW_ADDRESS


def _order_request(values: dict[str, Any]) -> OrderRequest:
    """The order request of a form's fields; the remaining fields are the address."""
    values.pop("key", None)
    others = {name: values.pop(name) for name in ("email", "address_id", "note") if name in values}
    expected = values.pop("expected_total", None)
    if "address_id" in others:
        address_service.get_address(current_actor(), others["address_id"])
    return OrderRequest(shipping_address=values or None, expected_total=expected, **others)


def _place(values: dict[str, Any]) -> str:
    """Place the order, once for each key, and return its number."""
    buyer, key = cookies.page_buyer(), values.pop("key", uuid.uuid4().hex)
    keyed = KeyedRequest(f"page:{key}", dict(sorted(values.items())))
    order_request, currency, origin = _order_request(values), store_currency(), guest_origin()
    order = in_transaction(
        lambda: checkout_service.place_once(buyer, order_request, currency, origin, keyed, _dump)
    )
    return order.number


def _dump(order: OrderView) -> bytes:
    """Without personal data, in a form that servers of the previous release replay, too."""
    return orjson.dumps({"number": order.number})


def _confirmed(number: str) -> AnyResponse:
    flash("Thank you! Your order is placed.")
    response = see_other(url_for("order_pages.show_order", number=number))
    token = cookies.page_buyer().guest_token
    if token is not None:
        cookies.set_order_cookie(response, number, guest_order_token(token, number))
    return response


def _refused(form: Form) -> AnyResponse:
    """Show a refusal where the buyer can correct it: at the cart, or at the form."""
    if form.code in ("out_of_stock", "cart_empty", "cart_too_large", "guest_limit"):
        flash(form.problem, "error")
        return see_other(url_for("cart_page.show_cart"))
    if form.code == "total_changed":
        form.problem = "Prices have changed since you looked. Please look again before you order."
    if form.code == "idempotency_key_reused":
        form.problem = "This form was sent before with other contents. Please look again."
    return _details(form)


def _nothing_to_order() -> Response:
    flash("Your cart is empty: there is nothing to order.", "error")
    return see_other(url_for("cart_page.show_cart"))


def _user() -> User:
    return user_service.get_user(current_actor().user_id or 0)


def _addresses() -> list[Address]:
    page = address_service.list_addresses(current_actor(), 1, address_service.MAX_ADDRESSES)
    return list(page.items)


def _first_address() -> int | None:
    entries = _addresses() if current_actor().user_id is not None else []
    return entries[0].id if entries else None


def _address(order_request: OrderRequest) -> Address | dict[str, str] | None:
    if order_request.address_id is not None:
        return address_service.get_address(current_actor(), order_request.address_id)
    return order_request.shipping_address


def _hidden_fields(form: Form) -> dict[str, str]:
    """The values that the review's form carries on to the order."""
    left_out = ("csrf_token", "key", "expected_total", "change")
    return {name: value for name, value in form.values.items() if name not in left_out}

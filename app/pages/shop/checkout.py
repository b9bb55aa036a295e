"""Checkout in three steps: contact and address, a review, and the order itself.

Each form is answered by a redirect, so that going back in the browser sends nothing again. What was entered
is stored for an hour (`checkout_details`), for this cart and this browser, and erased by the order. The
review's form carries all values that it shows, so of two tabs each orders what it shows. It also carries an
idempotency key: sent twice, it orders once.
"""

import uuid
from typing import Any

import orjson
from flask import Response, current_app, flash, request, url_for
from marshmallow import EXCLUDE, Schema
from marshmallow import fields as ma
from marshmallow.validate import Range, Regexp
from werkzeug.wrappers import Response as AnyResponse

from app.db.unit_of_work import in_transaction
from app.domain.money import to_text
from app.domain.people.tokens import guest_order_token
from app.domain.text import id_or_slug
from app.errors import NotFound
from app.models import Address, User
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.csrf import browser_id
from app.pages.forms import Form
from app.pages.layout import form_page
from app.schemas.auth import Email
from app.schemas.base import Money, ShopSchema, Text, store_currency
from app.schemas.orders import MAX_NOTE, MAX_TOTAL
from app.schemas.settings import VatId
from app.schemas.users import AddressSchema, PostalAddressSchema
from app.services import user_service
from app.services.accounts import address_service
from app.services.buying import cart_contents, checkout_details, checkout_service, quotes
from app.services.buying.addresses import ADDRESS_FIELDS
from app.services.buying.cart_pricing import CartPricing
from app.services.buying.checkout_details import CheckoutState
from app.services.buying.checkout_service import OrderRequest, PlacedOrder
from app.services.buying.quotes import QuoteRequest
from app.services.messages.idempotency import KeyedRequest
from app.services.orders.order_views import OrderView
from app.web.callers.buyers import guest_origin
from app.web.callers.identity import current_actor
from app.web.order_sums import sums_of

blp = PageBlueprint("checkout_page", __name__)
BILLING = "billing_address."
"""What the names of the fields of the billing address begin with."""
CHECKOUT, REVIEW = "checkout_page.show_checkout", "checkout_page.show_review"


class NoteForm(ShopSchema):
    """What every order may have, the idempotency key, and the total that the buyer saw."""

    note = Text(MAX_NOTE, lines=True, load_default="")
    key = ma.String(validate=Regexp(r"[0-9a-f]{32}\Z"))
    expected_total = Money(high=MAX_TOTAL)
    shipping_method_id = ma.Integer(validate=Range(1, 2**63 - 1))
    vat_id = VatId()
    billing_address = ma.Nested(PostalAddressSchema)


class NewAddressForm(AddressSchema, NoteForm):
    """A customer's order to a new address."""


class GuestForm(NewAddressForm):
    """A guest's order."""

    email = Email(required=True)


class BookForm(NoteForm):
    """A customer's order to an address of the address book."""

    address_id = ma.Integer(required=True, validate=Range(1, 2**63 - 1))


class CheckoutForm(Form):
    """The form of an order. A billing address without any line is none."""

    @property
    def has_bill(self) -> bool:
        """Whether anything is filled in about the bill."""
        return bool(self.value("vat_id").strip() or self._billing_address())

    def _load(self, schema: Schema) -> dict[str, Any]:
        nested = ("billing_address", "vat_id")
        names = {name for name in schema.load_fields if name not in nested}
        body: dict[str, Any] = {n: value for n, value in self.values.items() if n in names}
        if vat_id := self.value("vat_id").strip():
            body["vat_id"] = vat_id
        if address := self._billing_address():
            body["billing_address"] = address
        return self._read(schema, body)

    def _billing_address(self) -> dict[str, str]:
        lines = {name: self.value(f"{BILLING}{name}") for name in ADDRESS_FIELDS}
        is_empty = not any(text.strip() for name, text in lines.items() if name != "country")
        return {} if is_empty else lines


LOOK_AGAIN = {
    "shipping_method_not_available": "The order cannot be shipped like that any more. Please choose again.",
    "shipping_method_required": "Please choose how the order is to be shipped.",
    "total_changed": "Prices have changed since you looked. Please look again before you order.",
    "idempotency_key_reused": "This form was sent before with other contents. Please look again.",
}
"""Refusals after which the review shows what has changed."""
TO_CART = ("out_of_stock", "cart_empty", "cart_too_large", "total_too_large", "guest_limit")
"""Refusals that the buyer can only correct at the cart."""
GUEST, NEW_ADDRESS = GuestForm(unknown=EXCLUDE), NewAddressForm(unknown=EXCLUDE)
BOOK = BookForm(unknown=EXCLUDE)


@blp.get("/checkout")
def show_checkout() -> AnyResponse:
    """The form for contact and address, with what was entered before."""
    state = _state()
    return _details(CheckoutForm((state and state.details) or {"address_id": _first_address()}))


@blp.post("/checkout")
def enter() -> AnyResponse:
    """Take the checkout's form, and lead to its review."""
    form = CheckoutForm.from_request()
    if not cart_contents.count_units(cookies.page_buyer()):
        return _nothing_to_order()
    order_request = form.carry_out(_schema(form), _order_request, extra_refusals=(NotFound,))
    if order_request is None:
        return _details(form)
    _store(order_request)
    return see_other(url_for(REVIEW))


@blp.get("/checkout/review")
def show_review() -> AnyResponse:
    """The review of the order before it is placed; the order itself once it is."""
    state = _state()
    if state is None or state.details is None:
        return _placed_already(state) or see_other(url_for(CHECKOUT))
    form = CheckoutForm(state.details)
    if not cart_contents.count_units(cookies.page_buyer()):
        return _nothing_to_order()
    priced = form.carry_out(_schema(form), _price, extra_refusals=(NotFound,))
    if priced is None:
        flash(form.problem, "error")
        return see_other(url_for("cart_page.show_cart" if form.code in TO_CART else CHECKOUT))
    return _review(form, *priced, state.key)


@blp.post("/checkout/order")
def place() -> AnyResponse:
    """Turn the cart into an order, once for each idempotency key."""
    form = CheckoutForm.from_request()
    number = form.carry_out(_schema(form), _place, extra_refusals=(NotFound,))
    if number is None:
        return _refused(form)
    return _confirmed(number, "Thank you! Your order is placed.")


@blp.get("/checkout/order")
def start_again() -> Response:
    """Restart the checkout after a refused order, whose address the browser still shows."""
    return see_other(url_for(CHECKOUT))


def _details(form: CheckoutForm) -> AnyResponse:
    cart = cart_contents.read_cart_page(cookies.page_buyer()).contents
    if not cart.items:
        return _nothing_to_order()
    is_guest = current_actor().user_id is None
    user, addresses = (None, []) if is_guest else (_user(), _addresses())
    return form_page("checkout.html", form, cart=cart, user=user, addresses=addresses)


def _review(form: Form, order_request: OrderRequest, priced: CartPricing, key: str) -> AnyResponse:
    cart = cart_contents.read_cart_page(cookies.page_buyer()).contents
    method = priced.pricing.method
    return form_page(
        "review.html",
        form,
        cart=cart,
        address=_address(order_request),
        email=order_request.email or _user().email,
        billing_address=order_request.billing_address,
        vat_id=order_request.vat_id,
        total=to_text(priced.pricing.total, store_currency()),
        sums=sums_of(priced.pricing, method.name if method else None),
        offers=priced.pricing.offers,
        method_id=method.id if method else None,
        is_complete=priced.is_complete,
        key=key,
        hidden=form.values,
    )


def _price(values: dict[str, Any]) -> tuple[OrderRequest, CartPricing]:
    """The order request of a form's fields, and the price of the cart with the shipping method that is
    chosen, or else with the first one."""
    order_request = _order_request(values)
    buyer, currency = cookies.page_buyer(), store_currency()
    chosen = id_or_slug(request.args.get("shipping", ""))
    quote_request = QuoteRequest(
        order_request.shipping_address,
        order_request.address_id,
        order_request.billing_address,
        chosen if isinstance(chosen, int) else None,
        order_request.vat_id,
    )
    return order_request, quotes.quote_with_method(buyer, quote_request, currency).cart


def _schema(form: Form) -> ShopSchema:
    if current_actor().user_id is None:
        return GUEST
    return BOOK if form.values.get("address_id") else NEW_ADDRESS


def _order_request(values: dict[str, Any]) -> OrderRequest:
    """The order request of a form's fields; the remaining fields are the address."""
    values.pop("key", None)
    names = ("email", "address_id", "note", "shipping_method_id", "vat_id", "billing_address")
    others = {name: values.pop(name) for name in names if name in values}
    expected = values.pop("expected_total", None)
    if "address_id" in others:
        address_service.get_address(current_actor(), others["address_id"])
    return OrderRequest(shipping_address=values or None, expected_total=expected, **others)


def _place(values: dict[str, Any]) -> str:
    """Place the order, once for each key, and return its number."""
    buyer, key = cookies.page_buyer(), values.pop("key", uuid.uuid4().hex)
    keyed = KeyedRequest(f"page:{key}", dict(sorted(values.items())))
    order_request, currency, origin = _order_request(values), store_currency(), guest_origin()
    needs_verified = current_app.config["REQUIRE_EMAIL_VERIFIED"]

    def work() -> PlacedOrder:
        order = checkout_service.place_once(
            buyer, order_request, currency, origin, keyed, _dump, needs_verified
        )
        if not order.is_replay:
            checkout_details.finish(buyer, order.number)
        return order

    return in_transaction(work).number


def _dump(order: OrderView) -> bytes:
    """Without personal data, in a form that servers of the previous release replay, too."""
    return orjson.dumps({"number": order.number})


def _confirmed(number: str, message: str) -> AnyResponse:
    flash(message)
    response = see_other(url_for("order_pages.show_order", number=number))
    token = cookies.page_buyer().guest_token
    if token is not None:
        cookies.set_order_cookie(response, number, guest_order_token(token, number))
    return response


def _placed_already(state: CheckoutState | None) -> AnyResponse | None:
    """The order of a checkout that was finished, by a click before this one or in another tab."""
    if state is None or state.order_number is None:
        return None
    return _confirmed(state.order_number, "This order is placed.")


def _refused(form: CheckoutForm) -> AnyResponse:
    """Show a refusal where the buyer can correct it: at the cart, the review or the form."""
    if form.code == "cart_empty" and (order := _placed_already(_state())):
        return order
    if form.code in TO_CART:
        flash(form.problem, "error")
        return see_other(url_for("cart_page.show_cart"))
    if form.code in LOOK_AGAIN:
        return _look_again(form)
    return _details(form)


def _look_again(form: CheckoutForm) -> AnyResponse:
    """Show the review of a refused order with what this form has entered: meanwhile another tab or another
    browser may have entered something else, or the time to store it is over."""
    flash(LOOK_AGAIN[form.code], "error")
    method = form.value("shipping_method_id") or None
    is_placed = (state := _state()) is not None and state.order_number is not None
    if form.code == "total_changed" or not is_placed:
        order_request = form.carry_out(_schema(form), _order_request, extra_refusals=(NotFound,))
        if order_request is None:
            return _details(form)
        _store(order_request)
    return see_other(url_for(REVIEW, shipping=method))


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


def _state() -> CheckoutState | None:
    return checkout_details.find(cookies.page_buyer(), browser_id())


def _store(order_request: OrderRequest) -> None:
    """Store what was entered, for the review."""
    buyer, details, browser = cookies.page_buyer(), _entered(order_request), browser_id()
    in_transaction(lambda: checkout_details.store(buyer, browser, details))


def _entered(order_request: OrderRequest) -> dict[str, str]:
    """The fields of the form that make this order request, of the lengths that the schema allows."""
    billing = order_request.billing_address or {}
    fields = {
        **(order_request.shipping_address or {}),
        **{f"{BILLING}{name}": text for name, text in billing.items()},
        "vat_id": order_request.vat_id,
        "address_id": order_request.address_id,
        "email": order_request.email,
        "note": order_request.note,
    }
    return {name: str(value) for name, value in fields.items() if value}

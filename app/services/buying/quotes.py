"""The quote: what the buyer's cart would cost as an order, with the choices that are made so far."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import select

from app.domain.people.buyer import Buyer
from app.extensions import db
from app.models import Cart
from app.services.buying.addresses import PostalAddress, find_address
from app.services.buying.cart_contents import OF_CUSTOMER, OF_GUEST, owner_of
from app.services.buying.cart_pricing import CartPricing, Choices, price_cart, refuse_large
from app.services.buying.checkout_lines import CheckoutLine, cart_empty, read_lines
from app.services.pricing.promotion_rules import Customer


@dataclass(frozen=True)
class QuoteRequest:
    """What the buyer has chosen. Of the shipping address the country and the region count."""

    shipping_address: PostalAddress | None = None
    address_id: int | None = None
    billing_address: PostalAddress | None = None
    shipping_method_id: int | None = None
    vat_id: str | None = None


@dataclass(frozen=True)
class Quote:
    """The lines of a cart, and what they cost."""

    lines: Sequence[CheckoutLine]
    cart: CartPricing


def quote(buyer: Buyer, request: QuoteRequest, currency: str) -> Quote:
    """Price the buyer's cart as an order with these choices would be. Nothing is written.

    Raises:
        Invalid: `cart_empty`, `cart_too_large`, `total_too_large`, or an unknown `address_id`.
    """
    address = find_address(buyer, request.shipping_address, request.address_id)
    cart_id = _cart_of(buyer)
    lines = read_lines(cart_id)
    choices = Choices(address, request.billing_address, request.shipping_method_id, request.vat_id)
    cart = price_cart(cart_id, lines, choices, Customer(buyer.user_id))
    refuse_large(cart.pricing, currency)
    return Quote(lines, cart)


def quote_with_method(buyer: Buyer, request: QuoteRequest, currency: str) -> Quote:
    """As `quote`; where none of the methods that are offered is chosen, with the first of them."""
    quoted = quote(buyer, request, currency)
    offers = quoted.cart.pricing.offers
    if not offers or quoted.cart.pricing.method is not None:
        return quoted
    return quote(buyer, replace(request, shipping_method_id=offers[0].method.id), currency)


def _cart_of(buyer: Buyer) -> int:
    owner = owner_of(buyer)
    condition = OF_CUSTOMER if buyer.user_id is not None else OF_GUEST
    cart_id = None
    if owner is not None:
        cart_id = db.session.scalar(select(Cart.id).where(condition), {"owner": owner})
    if cart_id is None:
        raise cart_empty()
    return cart_id

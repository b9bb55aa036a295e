"""Codes in carts, and what they and automatic promotions take off a cart."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, delete, func, select

from app.domain.clock import utc_now
from app.domain.people.buyer import Buyer
from app.domain.pricing.codes import MAX_CODES, code_key, key_in_path
from app.domain.pricing.model import Discount
from app.domain.pricing.promotions import applies_alone
from app.errors import Conflict, Invalid, NotFound, ShopError
from app.extensions import db
from app.models import CartCode
from app.services.accounts import throttle_service
from app.services.buying import cart_service
from app.services.buying.cart_pricing import (
    REFUSALS,
    CartPricing,
    Choices,
    CodeState,
    code_states,
    price_cart,
)
from app.services.buying.checkout_lines import cart_empty, list_lines
from app.services.pricing.promotion_rules import Customer, may_apply


@dataclass(frozen=True)
class CartDiscounts:
    """The codes of a cart, and what is taken off its goods; amounts in minor units."""

    codes: Sequence[CodeState] = ()
    discounts: Sequence[Discount] = ()
    discount_total: int = 0


NO_DISCOUNTS = CartDiscounts()


def discounts_of(cart_id: int, user_id: int | None) -> CartDiscounts:
    """What promotions take off a cart that has lines."""
    if not may_apply(cart_id):
        return NO_DISCOUNTS
    cart = _price(cart_id, user_id)
    pricing = cart.pricing
    discounts = [row for row in pricing.discounts if row.promotion_id is not None]
    total = sum(discount.amount for discount in discounts)
    return CartDiscounts(code_states(cart), discounts, total)


def enter_code(buyer: Buyer, code: str, address: str | None) -> ShopError | None:
    """Put a code into the buyer's cart, and count one that does not exist, as it may be a guess.

    Args:
        address: the client's address.

    Returns and raises as `add_code`.

    Raises:
        TooManyAttempts: too many codes that do not exist, from this cart or account, or network.
    """
    owner = f"user:{buyer.user_id}" if buyer.user_id is not None else f"{buyer.guest_token_hash}"
    guards = throttle_service.promotion_code_guards(owner, address)
    counts = throttle_service.lock_counts(guards.own)
    lock = throttle_service.refusal(guards.own, counts)
    if lock is None and guards.network is not None:
        lock = throttle_service.find_lock(guards.network)
    if lock is not None:
        raise lock
    refusal = add_code(buyer, code)
    if refusal is not None and refusal.code == "code_unknown":
        throttle_service.record_failure(guards.own, counts)
        if guards.network is not None:
            shared = throttle_service.lock_counts(guards.network)
            throttle_service.record_failure(guards.network, shared)
    else:
        throttle_service.record_success(guards.own, counts)
    return refusal


def add_code(buyer: Buyer, code: str) -> ShopError | None:
    """Put a code into the buyer's cart. One that is there already stays.

    Returns:
        Invalid: `code_unknown`, `code_expired`, `code_not_applicable`, judged alone.
        Conflict: `code_used_up`. Both are returned, so that an attempt is counted before they are raised.

    Raises:
        Invalid: `cart_empty`, `too_many_codes`.
    """
    cart_id = cart_service.lock_cart(buyer)
    if cart_id is None:
        raise cart_empty()
    key = code_key(code)
    if db.session.scalar(select(CartCode.id).where(_is_code(cart_id, key))):
        return None
    count = db.session.scalar(select(func.count()).where(CartCode.cart_id == cart_id)) or 0
    if count >= MAX_CODES:
        raise Invalid(code="too_many_codes", detail=f"At most {MAX_CODES} codes for an order.")
    row = CartCode(cart_id=cart_id, code=code, code_key=key, created_at=utc_now())
    db.session.add(row)
    db.session.flush()
    refusal = _refusal(_price(cart_id, buyer.user_id), code)
    if refusal is not None:
        db.session.delete(row)
        db.session.flush()
    return refusal


def remove_code(buyer: Buyer, code: str) -> None:
    """Take a code out of the buyer's cart.

    Raises:
        NotFound: it is not there.
    """
    key, cart_id = key_in_path(code), cart_service.lock_cart(buyer)
    if key is None or cart_id is None:
        raise NotFound("code in this cart")
    statement = delete(CartCode).where(_is_code(cart_id, key)).returning(CartCode.id)
    if db.session.execute(statement).first() is None:
        raise NotFound("code in this cart")


def _price(cart_id: int, user_id: int | None) -> CartPricing:
    lines = list_lines(cart_id)
    return price_cart(cart_id, lines, Choices(), Customer(user_id), with_taxes=False)


def _refusal(cart: CartPricing, code: str) -> ShopError | None:
    entered = next((row for row in cart.rules.codes if row.code == code), None)
    refusal = entered.refusal if entered else "code_unknown"  # a shop that never had promotions
    if refusal == "code_used_up":
        return Conflict(refusal, REFUSALS[refusal])
    if refusal is not None:
        return Invalid(code=refusal, detail=REFUSALS[refusal])
    lines = sorted(cart.lines)
    promotions = [row for row in cart.rules.promotions if row.code == code]
    if not any(applies_alone(lines, promotion) for promotion in promotions):
        reason = "code_not_applicable"
        return Invalid(code=reason, detail=REFUSALS[reason])
    return None


def _is_code(cart_id: int, key: str) -> ColumnElement[bool]:
    return and_(CartCode.cart_id == cart_id, CartCode.code_key == key)

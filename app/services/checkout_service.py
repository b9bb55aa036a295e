"""Placing an order: the cart becomes a promise to deliver, whole or not at all.

Everything happens in one transaction and in a fixed number of statements, whatever the size of
the cart. Rows are locked in the order that holds everywhere: user, cart, variants by id.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm.attributes import set_committed_value

from app import metrics
from app.domain import pricing
from app.domain.buyer import Buyer
from app.domain.clock import utc_now
from app.domain.money import to_text
from app.domain.tokens import guest_order_token, hash_token, new_order_number
from app.errors import Conflict, Invalid
from app.extensions import db
from app.models import Address, Cart, Order, OrderEvent, OrderLine, Variant
from app.services import (
    cart_contents,
    cart_service,
    idempotency_service,
    inventory_service,
    user_service,
)
from app.services.cart_contents import Row
from app.services.idempotency_service import Request
from app.services.inventory_service import OutOfStock, Wish
from app.unit_of_work import after_commit

ADDRESS_FIELDS = (
    "name", "line1", "line2", "city", "region", "postal_code", "country", "phone",
)  # fmt: skip


@dataclass(frozen=True)
class Wishes:
    """What a buyer says when ordering; `expected_total` in minor units."""

    shipping_address: dict[str, Any] | None = None
    address_id: int | None = None
    email: str | None = None
    note: str = ""
    expected_total: int | None = None


@dataclass(frozen=True)
class Receipt:
    """The answer to an order, as it was written down: no secret is in it."""

    answer: bytes
    replayed: bool = False


def place_order(
    buyer: Buyer,
    wishes: Wishes,
    currency: str,
    dump: Callable[[Order], bytes],
    request: Request | None = None,
) -> Receipt:
    """Turn the buyer's cart into an order, or replay what was answered to the same request.

    Args:
        dump: writes the answer down; it is stored with the key, in the same transaction.
        request: the idempotency key and what came with it, where one was sent.

    Raises:
        Invalid: `cart_empty`, `cart_too_large`, `idempotency_key_reused`, or fields that are wrong.
        OutOfStock: naming every line that is short.
        Conflict: `total_changed`, `idempotency_key_in_use`.
    """
    claim = idempotency_service.claim(request, buyer) if request else None
    if claim is not None and claim.answer is not None:
        return Receipt(claim.answer, replayed=True)
    order = _place(buyer, wishes, currency)
    answer = dump(order)
    if claim is not None:
        idempotency_service.settle(claim, answer, order.id)
    return Receipt(answer)


def _place(buyer: Buyer, wishes: Wishes, currency: str) -> Order:
    email = _customer_email(buyer, wishes) if buyer.user_id else _guest_email(wishes)
    address = _address(buyer, wishes)
    cart_id, articles = _lock_articles(buyer)
    order = Order(
        number=new_order_number(),
        user_id=buyer.user_id,
        status="pending",
        currency=currency,
        email=email,
        shipping_address=address,
        note=wishes.note,
    )
    _set_totals(order, articles, wishes.expected_total)
    _insert(order, buyer, articles)
    products = {article.product_id for article in articles}
    inventory_service.allocate(order.id, _wishes(articles), products, buyer.actor)
    cart_service.clear(cart_id)
    return order


def _customer_email(buyer: Buyer, wishes: Wishes) -> str | None:
    user = user_service.lock_caller(buyer.actor)
    return wishes.email or user.email


def _guest_email(wishes: Wishes) -> str:
    if not wishes.email:
        raise Invalid({"email": ["Give an email address, or sign in."]})
    return wishes.email


def _address(buyer: Buyer, wishes: Wishes) -> dict[str, str] | None:
    if wishes.shipping_address is not None:
        return {field: wishes.shipping_address.get(field) or "" for field in ADDRESS_FIELDS}
    if wishes.address_id is None:
        return None
    entry = db.session.scalar(
        select(Address).where(Address.id == wishes.address_id, Address.user_id == buyer.user_id)
    )
    if entry is None:
        raise Invalid({"address_id": ["There is no such address in your address book."]})
    return {field: getattr(entry, field) for field in ADDRESS_FIELDS}


class Article(NamedTuple):
    """A line of the cart with its variant, which is locked, and product, as they are now."""

    line_id: int
    quantity: int
    price_seen: int
    variant_id: int
    sku: str
    options: dict[str, str]
    price: int
    available: int
    product_id: int
    name: str


# In the order of Article's fields. Sorted before they are locked, the variants are locked in the
# order that holds everywhere.
_LOCK_ARTICLES = (
    select(
        CartLine.id,
        CartLine.quantity,
        CartLine.price_seen,
        Variant.id,
        Variant.sku,
        Variant.options,
        Variant.price,
        CAN_BE_HAD,
        Product.id,
        Product.name,
    )
    .join_from(CartLine, Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(CartLine.cart_id == bindparam("cart_id", type_=BigInteger()))
    .order_by(Variant.id)
    .with_for_update(key_share=True, of=Variant)
)


def _lock_articles(buyer: Buyer) -> tuple[int, list[Article]]:
    """What is in the buyer's cart, in the order in which it was added.

    Raises: as `place_order` does.
    """
    cart_id = cart_service.lock_cart(buyer)
    rows = run(_LOCK_ARTICLES, cart_id=cart_id).all() if cart_id else []
    if cart_id is None or not rows:
        raise Invalid(code="cart_empty", detail="The cart is empty.")
    if len(rows) > cart_service.MAX_LINES:
        detail = f"An order has room for {cart_service.MAX_LINES} lines."
        raise Invalid(code="cart_too_large", detail=detail)
    return cart_id, sorted(Article(*row) for row in rows)



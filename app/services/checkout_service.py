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
        claim.answer, claim.order_id = answer, order.id
        db.session.flush()
    return Receipt(answer)


def _place(buyer: Buyer, wishes: Wishes, currency: str) -> Order:
    email = _customer_email(buyer, wishes) if buyer.user_id else _guest_email(wishes)
    address = _address(buyer, wishes)
    cart, rows = _lock_lines(buyer)
    variants = _lock_stock(rows)
    order = Order(
        number=new_order_number(),
        user_id=buyer.user_id,
        status="pending",
        currency=currency,
        email=email,
        shipping_address=address,
        note=wishes.note,
    )
    lines = [_line(row, variants[row.variant.id]) for row in rows]
    _set_totals(order, lines, wishes.expected_total)
    _begin_history(order, buyer, utc_now())
    _insert(order, lines)
    inventory_service.allocate(order, order.lines, variants, buyer.actor)
    cart_service.clear(cart)
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


def _lock_lines(buyer: Buyer) -> tuple[Cart, list[Row]]:
    cart = cart_service.lock_cart(buyer)
    rows = cart_contents.rows_of(Cart.id == cart.id) if cart else []
    if cart is None or not rows:
        raise Invalid(code="cart_empty", detail="The cart is empty.")
    if len(rows) > cart_service.MAX_LINES:
        detail = f"An order has room for {cart_service.MAX_LINES} lines."
        raise Invalid(code="cart_too_large", detail=detail)
    return cart, rows


def _lock_stock(rows: Sequence[Row]) -> dict[int, Variant]:
    variants = inventory_service.lock_variants(row.variant.id for row in rows)
    withdrawn = {row.variant.id for row in rows if not inventory_service.is_offered(row.product)}
    wishes = [Wish(row.variant.id, row.line.quantity) for row in rows]
    short = inventory_service.shortages(wishes, variants, withdrawn)
    if short:
        raise OutOfStock(short)
    return variants


def _line(row: Row, variant: Variant) -> dict[str, Any]:
    return {
        "product_id": row.product.id,
        "variant_id": variant.id,
        "sku": variant.sku,
        "name": row.product.name,
        "options": variant.options,
        "unit_price": variant.price,
        "quantity": row.line.quantity,
        "line_total": pricing.line_total(variant.price, row.line.quantity),
    }


def _set_totals(order: Order, lines: list[dict[str, Any]], expected: int | None) -> None:
    totals = pricing.totals((line["unit_price"], line["quantity"]) for line in lines)
    if expected not in (None, totals.total):
        total = to_text(totals.total, order.currency)
        raise Conflict("total_changed", f"The total is {total} {order.currency}.", total=total)
    order.subtotal = totals.subtotal
    order.discount_total = totals.discount_total
    order.shipping_total = totals.shipping_total
    order.tax_total = totals.tax_total
    order.total = totals.total


def _begin_history(order: Order, buyer: Buyer, now: datetime) -> None:
    order.placed_at = order.updated_at = now
    order.events = [
        OrderEvent(status="pending", at=now, done_by=buyer.actor.by, user_id=buyer.user_id, note="")
    ]
    if buyer.guest_token:
        order.guest_token_hash = hash_token(guest_order_token(buyer.guest_token, order.number))


def _insert(order: Order, lines: list[dict[str, Any]]) -> None:
    db.session.add(order)
    db.session.flush()
    # All at once, then read: SQLAlchemy sends rows one by one to SQLite when it wants their ids.
    db.session.execute(insert(OrderLine), [{**line, "order_id": order.id} for line in lines])
    written = select(OrderLine).where(OrderLine.order_id == order.id).order_by(OrderLine.id)
    set_committed_value(order, "lines", list(db.session.scalars(written)))

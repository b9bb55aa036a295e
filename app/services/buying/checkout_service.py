"""Placing an order: the cart becomes a promise to deliver, whole or not at all.

Everything happens in one transaction and in a fixed number of statements, whatever the size of
the cart. Rows are locked in the order that holds everywhere: user, cart, variants by id; those
last, after everything else is written, since many may want the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, insert, select

from app.db.prepared import prepared, run
from app.db.unit_of_work import after_commit, is_another_try
from app.domain import pricing
from app.domain.clock import utc_now
from app.domain.money import places, to_text
from app.domain.people.buyer import Buyer
from app.domain.people.tokens import guest_order_token, hash_token, new_order_number
from app.errors import Conflict, Invalid
from app.extensions import db
from app.models import Address, Cart, CartLine, Order, OrderEvent, OrderLine, Product, User, Variant
from app.models.availability import AVAILABLE_QUANTITY
from app.observability import metrics
from app.services import user_service
from app.services.buying import cart_service
from app.services.inventory import inventory_service
from app.services.inventory.inventory_service import StockRequest
from app.services.messages import idempotency
from app.services.messages.idempotency import Request
from app.services.orders import guest_limits
from app.services.orders.guest_limits import GuestOrigin, Holder
from app.services.orders.order_views import EventView, LineView, OrderView

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


class Article(NamedTuple):
    """A line of the cart with its variant and product as they are now."""

    line_id: int
    quantity: int
    variant_id: int
    sku: str
    options: dict[str, str]
    price: int
    available: int
    product_id: int
    name: str


def place_order(
    buyer: Buyer,
    wishes: Wishes,
    currency: str,
    dump: Callable[[OrderView], bytes],
    origin: GuestOrigin,
    request: Request | None = None,
) -> Receipt:
    """Turn the buyer's cart into an order, or replay what was answered to the same request.

    Args:
        dump: writes the answer down; it is stored with the key, in the same transaction.
        origin: where the request comes from, and the limits of guests.
        request: the idempotency key and what came with it, where one was sent.

    Raises:
        Invalid: `cart_empty`, `cart_too_large`, `idempotency_key_reused`, or fields that are wrong.
        OutOfStock: naming every line that is short.
        Conflict: `total_changed`, `idempotency_key_in_use`.
        GuestLimitReached: a guest holds too much already, or asks for too much at once.
    """
    claim = idempotency.claim(request, buyer) if request else None
    if claim is not None and claim.answer is not None:
        return Receipt(claim.answer, replayed=True)
    holder = None if buyer.user_id else _holder(wishes, origin)
    order, articles = _write(buyer, wishes, currency, holder, origin)
    answer = dump(order)
    if claim is not None:
        idempotency.settle(claim, answer, order.id)
    if holder is not None:
        guest_limits.refuse_too_much(order.id, holder, origin.limits)
    # Last of all: whoever buys the same waits from here to the commit.
    products = {article.product_id for article in articles}
    inventory_service.allocate(order.id, products, len(articles), buyer.actor)
    _tell(order, articles)
    return Receipt(answer)


def _holder(wishes: Wishes, origin: GuestOrigin) -> Holder:
    if not wishes.email:
        raise Invalid({"email": ["Give an email address, or sign in."]})
    return guest_limits.holder(origin, wishes.email)


def _write(
    buyer: Buyer, wishes: Wishes, currency: str, holder: Holder | None, origin: GuestOrigin
) -> tuple[OrderView, list[Article]]:
    """Write down everything but what becomes of the stock, and lock no variant yet.

    The order is answered as it was written: nothing is read again.
    """
    cart, email = _lock_customer(buyer) if buyer.user_id else (cart_service.lock_cart(buyer), None)
    if holder is not None and is_another_try():
        guest_limits.lock(holder)  # after the cart, before the variants, which another try locks
    address = _address(buyer, wishes)
    cart_id, articles = _read_articles(cart)
    if holder is not None:
        units = [(article.sku, article.quantity) for article in articles]
        guest_limits.refuse_large_order(origin.limits, units)
    lines = [_line(article) for article in articles]
    now = utc_now()
    facts: dict[str, Any] = {
        "number": new_order_number(),
        "user_id": buyer.user_id,
        "status": "pending",
        "currency": currency,
        "email": wishes.email or email,
        "shipping_address": address,
        "note": wishes.note,
        **_totals(lines, currency, wishes.expected_total),
        "placed_at": now,
        "updated_at": now,
    }
    order_id = _insert(facts, buyer, _of_guest(holder, articles))
    cart_service.clear(cart_id)
    written = _insert_lines(order_id, lines)
    begun = EventView("pending", now, buyer.actor.by, "")
    return OrderView(id=order_id, **facts, lines=written, events=[begun]), articles


def _tell(order: OrderView, articles: Sequence[Article]) -> None:
    """Count the order among the shop's figures, once it stands."""
    sold_out = sum(article.available == article.quantity for article in articles)
    minor_units = 10 ** places(order.currency)
    facts = (order.total, order.currency, minor_units, order.user_id is None, sold_out)
    after_commit(lambda: metrics.count_order(*facts))


# The rows are locked in the order in which `of` names them.
_LOCK_CUSTOMER = prepared(
    select(Cart.id, User.email)
    .join_from(User, Cart, Cart.user_id == User.id)
    .where(User.id == bindparam("user_id", type_=BigInteger()))
    .where(User.is_active, User.deleted_at.is_(None))
    .with_for_update(key_share=True, of=(User, Cart))
)


def _lock_customer(buyer: Buyer) -> tuple[int | None, str | None]:
    """The id of a customer's cart and the account's address, both locked until the commit.

    Raises:
        Unauthenticated: the account was closed since the request came in.
    """
    locked = run(_LOCK_CUSTOMER, user_id=buyer.user_id).one_or_none()
    if locked is None:
        user = user_service.lock_caller(buyer.actor)
        return cart_service.lock_cart(buyer), user.email
    return locked.id, locked.email


def _of_guest(holder: Holder | None, articles: Sequence[Article]) -> dict[str, Any]:
    """What an order keeps of a guest to count by; of a customer nothing."""
    if holder is None:
        return dict.fromkeys(_GUEST_FACTS)
    return {**holder.stored(), "guest_units": max(article.quantity for article in articles)}


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


# In the order of Article's fields.
_READ_ARTICLES = prepared(
    select(
        CartLine.id,
        CartLine.quantity,
        Variant.id,
        Variant.sku,
        Variant.options,
        Variant.price,
        AVAILABLE_QUANTITY,
        Product.id,
        Product.name,
    )
    .join_from(CartLine, Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(CartLine.cart_id == bindparam("cart_id", type_=BigInteger()))
    .order_by(Variant.id)
)
_LOCK_ARTICLES = _READ_ARTICLES.with_for_update(key_share=True, of=Variant)


def _read_articles(cart_id: int | None) -> tuple[int, list[Article]]:
    """The id of a locked cart and what is in it, in the order in which it was added.

    What is short is refused already. The variants are not locked, so that others need not wait:
    where one changes before the end, `allocate` sees it, and the next try does lock them.

    Raises: as `place_order` does.
    """
    reading = _LOCK_ARTICLES if is_another_try() else _READ_ARTICLES
    rows = run(reading, cart_id=cart_id).all() if cart_id else []
    if cart_id is None or not rows:
        raise Invalid(code="cart_empty", detail="The cart is empty.")
    if len(rows) > cart_service.MAX_LINES:
        detail = f"An order has room for {cart_service.MAX_LINES} lines."
        raise Invalid(code="cart_too_large", detail=detail)
    articles = sorted(Article._make(row) for row in rows)
    inventory_service.refuse_shortages(
        StockRequest(article.variant_id, article.sku, article.quantity, article.available)
        for article in articles
    )
    return cart_id, articles


def _line(article: Article) -> dict[str, Any]:
    return {
        "product_id": article.product_id,
        "variant_id": article.variant_id,
        "sku": article.sku,
        "name": article.name,
        "options": article.options,
        "unit_price": article.price,
        "quantity": article.quantity,
        "line_total": pricing.line_total(article.price, article.quantity),
    }


def _totals(lines: Sequence[dict[str, Any]], currency: str, expected: int | None) -> dict[str, int]:
    totals = pricing.totals((line["unit_price"], line["quantity"]) for line in lines)
    if expected not in (None, totals.total):
        total = to_text(totals.total, currency)
        raise Conflict("total_changed", f"The total is {total} {currency}.", total=total)
    return {
        "subtotal": totals.subtotal,
        "discount_total": totals.discount_total,
        "shipping_total": totals.shipping_total,
        "tax_total": totals.tax_total,
        "total": totals.total,
    }


_FACTS = (
    "number", "user_id", "guest_token_hash", "status", "currency", "subtotal", "discount_total",
    "shipping_total", "tax_total", "total", "email", "shipping_address", "note", "placed_at",
    "updated_at",
)  # fmt: skip
_GUEST_FACTS = ("guest_network_hash", "guest_email_hash", "guest_units")


_INSERT_ORDER = prepared(
    insert(Order)
    .values({name: bindparam(name) for name in (*_FACTS, *_GUEST_FACTS)})
    .returning(Order.id)
)
_INSERT_EVENT = prepared(
    insert(OrderEvent).values(
        order_id=bindparam("order_id"),
        status=bindparam("status"),
        at=bindparam("at"),
        done_by=bindparam("done_by"),
        user_id=bindparam("user_id"),
        note="",
    )
)
_INSERT_LINES = insert(OrderLine).returning(OrderLine.id, OrderLine.variant_id)


def _insert(facts: dict[str, Any], buyer: Buyer, guest: dict[str, Any]) -> int:
    """Write an order and the first step of its history; the order's id."""
    token = buyer.guest_token
    secret = hash_token(guest_order_token(token, facts["number"])) if token else None
    order_id: int = run(_INSERT_ORDER, {**facts, **guest, "guest_token_hash": secret}).scalar_one()
    run(
        _INSERT_EVENT,
        order_id=order_id,
        status=facts["status"],
        at=facts["placed_at"],
        done_by=buyer.actor.by,
        user_id=buyer.user_id,
    )
    return order_id


def _insert_lines(order_id: int, lines: Sequence[dict[str, Any]]) -> list[LineView]:
    written = run(_INSERT_LINES, [{**line, "order_id": order_id} for line in lines])
    ids = {row.variant_id: row.id for row in written}
    return sorted(LineView(id=ids[line["variant_id"]], **line) for line in lines)

"""Placing an order: the cart becomes an order, whole or not at all.

Everything happens in one transaction and in a fixed number of statements, whatever the size of
the cart. Rows are locked in the order that holds everywhere: user, cart, a guest's locks, variants
by id; variants come last, after everything else is written, because many buyers may want the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from sqlalchemy import BigInteger, Insert, bindparam, insert, select

from app.db.prepared import insert_values, prepared, run
from app.db.unit_of_work import after_commit, is_another_try
from app.domain.clock import utc_now
from app.domain.money import places, to_text
from app.domain.people.buyer import Buyer
from app.domain.people.tokens import guest_order_token, hash_token, new_order_number
from app.domain.pricing.model import PricedLine, Pricing
from app.domain.pricing.totals import line_total
from app.errors import Conflict, Invalid
from app.models import (
    Cart,
    Order,
    OrderDiscount,
    OrderEvent,
    OrderLine,
    OrderTax,
    User,
)
from app.observability import metrics
from app.services import user_service
from app.services.buying import cart_service
from app.services.buying.addresses import find_address, with_all_fields
from app.services.buying.cart_pricing import (
    CartPricing,
    Choices,
    price_cart,
    refuse_codes,
    refuse_incomplete,
    refuse_large,
)
from app.services.buying.checkout_lines import CheckoutLine, cart_empty, read_lines
from app.services.inventory import inventory_service
from app.services.inventory.inventory_service import StockRequest
from app.services.messages import idempotency
from app.services.messages.idempotency import KeyedRequest
from app.services.orders import guest_limits, order_words
from app.services.orders.guest_limits import GuestKeys, GuestOrigin
from app.services.orders.order_views import (
    LINE_COLUMNS,
    DiscountView,
    EventView,
    LineView,
    OrderView,
    TaxView,
)
from app.services.orders.order_words import Article
from app.services.pricing import redemptions
from app.services.pricing.promotion_rules import Customer
from app.services.pricing.redemptions import Use


@dataclass(frozen=True)
class OrderRequest:
    """What a buyer sends to order; `expected_total` in minor units. The billing address is the shipping
    address unless another is given."""

    shipping_address: dict[str, str] | None = None
    address_id: int | None = None
    billing_address: dict[str, str] | None = None
    shipping_method_id: int | None = None
    vat_id: str | None = None
    email: str | None = None
    note: str = ""
    expected_total: int | None = None


class Account(NamedTuple):
    """What an order takes from the buyer's account; guests have none."""

    email: str | None = None
    name: str = ""
    is_verified: bool = False
    """Whether the address was confirmed."""


class PlacedOrder(NamedTuple):
    """The number of an order, and the answer to the request that placed it."""

    number: str
    answer: bytes
    is_replay: bool = False


def place_once(
    buyer: Buyer, request: OrderRequest, currency: str, origin: GuestOrigin,
    keyed: KeyedRequest | None, dump: Callable[[OrderView], bytes], needs_verified: bool = False,
) -> PlacedOrder:  # fmt: skip
    """Place an order and store the answer that `dump` makes of it, or replay the answer that is
    stored under the key. Raises as `place_order` and `idempotency.claim` do."""
    claim = idempotency.claim(keyed, buyer) if keyed else None
    if claim and claim.answer is not None and claim.order_number is not None:
        return PlacedOrder(claim.order_number, claim.answer, is_replay=True)
    order = place_order(buyer, request, currency, origin, needs_verified)
    answer = dump(order)
    if claim:
        idempotency.store_answer(claim, answer, order.id)
    return PlacedOrder(order.number, answer)


def place_order(
    buyer: Buyer,
    request: OrderRequest,
    currency: str,
    origin: GuestOrigin,
    needs_verified: bool = False,
) -> OrderView:
    """Turn the buyer's cart into an order. The order is not read again: it is returned as written.

    Args:
        origin: where the request comes from, and the limits of guests.
        needs_verified: whether an account has to confirm its address before it orders.

    Raises:
        Invalid: `cart_empty`, `cart_too_large`, `total_too_large`, `address_required`,
            `shipping_method_required`, `shipping_method_not_available`, or fields that are wrong.
        OutOfStock: names every line that is short.
        Conflict: `total_changed`, `email_not_verified`, `code_unknown`, `code_expired`,
            `code_used_up`.
        GuestLimitReached: a guest's open orders hold too much, or this one asks for too much.
        Unauthenticated: the account was closed since the request came in.
    """
    holder = None if buyer.user_id else _guest_keys(request, origin)
    cart_id, account = _lock_cart(buyer)
    if needs_verified and buyer.user_id is not None and not account.is_verified:
        raise Conflict("email_not_verified", "Confirm your email address before you order.")
    if holder is not None and is_another_try():
        guest_limits.lock(holder)  # before the variants, which another try locks when it reads them
    request = _complete(buyer, request, account)
    if cart_id is None:
        raise cart_empty()
    lines = _read_lines(cart_id)
    if holder is not None:
        guest_limits.refuse_large_order(
            origin.limits, [(line.sku, line.quantity) for line in lines]
        )
    customer = Customer(buyer.user_id, request.email)
    cart = _price(cart_id, lines, request, customer, currency)
    draft = _draft(buyer, request, currency, cart.pricing)
    _check_total(draft, request.expected_total)
    cart_service.clear(cart_id, has_codes=bool(cart.rules.codes))
    order = _insert(draft, buyer, holder, lines, cart.pricing, account.name)
    redemptions.redeem(order.id, _uses(cart.pricing), cart.rules, customer)
    if holder is not None:
        guest_limits.refuse_too_much(order.id, holder, origin.limits)
    product_ids = {line.product_id for line in lines}
    inventory_service.allocate(order.id, product_ids, len(lines), buyer.actor)
    _count_in_metrics(order, lines)
    return order


def _complete(buyer: Buyer, request: OrderRequest, account: Account) -> OrderRequest:
    """The request with the account's email address, and with whole postal addresses."""
    return replace(
        request,
        email=request.email or account.email,
        shipping_address=find_address(buyer, request.shipping_address, request.address_id),
        billing_address=with_all_fields(request.billing_address),
    )


def _price(
    cart_id: int,
    lines: Sequence[CheckoutLine],
    request: OrderRequest,
    customer: Customer,
    currency: str,
) -> CartPricing:
    """What the order costs. Raises as `refuse_codes`, `refuse_incomplete` and `refuse_large` do."""
    choices = Choices(
        request.shipping_address,
        request.billing_address,
        request.shipping_method_id,
        request.vat_id,
    )
    cart = price_cart(cart_id, lines, choices, customer, locks=True)
    refuse_codes(cart)
    refuse_incomplete(cart)
    refuse_large(cart.pricing, currency)
    return cart


def _uses(pricing: Pricing) -> list[Use]:
    """The promotions that take something off."""
    return [
        Use(discount.promotion_id, discount.code)
        for discount in pricing.discounts
        if discount.promotion_id is not None
    ]


def _guest_keys(request: OrderRequest, origin: GuestOrigin) -> GuestKeys:
    if not request.email:
        raise Invalid({"email": ["Give an email address, or sign in."]})
    return guest_limits.guest_keys(origin, request.email)


_NAME = (User.first_name + " " + User.last_name).label("name")
# PostgreSQL locks the rows in the order in which `of` names their tables.
_LOCK_CUSTOMER = prepared(
    select(Cart.id, User.email, _NAME, User.email_verified_at)
    .join_from(User, Cart, Cart.user_id == User.id)
    .where(User.id == bindparam("user_id", type_=BigInteger()))
    .where(User.is_active, User.deleted_at.is_(None))
    .with_for_update(key_share=True, of=(User, Cart))
)


def _lock_cart(buyer: Buyer) -> tuple[int | None, Account]:
    """The id of the buyer's cart, if there is one, and a customer's account; both are locked until
    the commit."""
    if buyer.user_id is None:
        return cart_service.lock_cart(buyer), Account()
    row = run(_LOCK_CUSTOMER, user_id=buyer.user_id).one_or_none()
    if row is not None:
        return row.id, Account(row.email, row.name, row.email_verified_at is not None)
    user = user_service.lock_caller(buyer.actor)  # refuses a closed account
    account = Account(user.email, f"{user.first_name} {user.last_name}", user.email_verified)
    return cart_service.lock_cart(buyer), account


def _read_lines(cart_id: int) -> list[CheckoutLine]:
    """The lines of a locked cart, in the order in which they were added, all of them in stock.

    Variants are not locked, so that others need not wait: where one changes before the end,
    `allocate` sees it, and the next try locks them here.
    """
    lines = read_lines(cart_id, locks=is_another_try())
    inventory_service.refuse_shortages(
        StockRequest(line.variant_id, line.sku, line.quantity, line.available) for line in lines
    )
    return lines


def _draft(buyer: Buyer, request: OrderRequest, currency: str, pricing: Pricing) -> OrderView:
    """The order as it will be written, but for its id and its lines."""
    now = utc_now()
    return OrderView(
        id=0,
        number=new_order_number(),
        user_id=buyer.user_id,
        status="pending",
        currency=currency,
        subtotal=pricing.subtotal,
        discount_total=pricing.discount_total,
        shipping_total=pricing.shipping_total,
        tax_total=pricing.tax_total,
        total=pricing.total,
        email=request.email,
        shipping_address=request.shipping_address,
        note=request.note,
        placed_at=now,
        updated_at=now,
        tax_included=pricing.tax_included,
        tax_treatment=pricing.tax_treatment,
        shipping_method_id=pricing.method.id if pricing.method else None,
        shipping_method_name=pricing.method.name if pricing.method else None,
        shipping_discount=pricing.shipping_discount,
        shipping_tax=pricing.shipping_tax,
        billing_address=request.billing_address,
        vat_id=request.vat_id,
        lines=(),
        events=[EventView("pending", now, buyer.actor.by, "")],
        discounts=[DiscountView(*discount) for discount in pricing.discounts],
        taxes=[TaxView(*tax) for tax in pricing.taxes],
    )


def _check_total(order: OrderView, expected: int | None) -> None:
    if expected not in (None, order.total):
        total = to_text(order.total, order.currency)
        raise Conflict("total_changed", f"The total is {total} {order.currency}.", total=total)


_COLUMNS = (
    "number", "user_id", "status", "currency", "subtotal", "discount_total", "shipping_total",
    "tax_total", "total", "email", "shipping_address", "note", "placed_at", "updated_at",
    "tax_included", "tax_treatment", "shipping_method_id", "shipping_method_name",
    "shipping_discount", "shipping_tax", "billing_address", "vat_id",
)  # fmt: skip
_INSERT_ORDER = prepared(
    insert_values(
        Order, *_COLUMNS, "guest_token_hash", "lookup_words", *guest_limits.COLUMNS
    ).returning(Order.id)
)
# Takes a guest's locks, right before open orders are counted.
_INSERT_EVENT = prepared(
    insert_values(OrderEvent, "order_id", "user_id", *EventView._fields)
    .returning(OrderEvent.id, *guest_limits.LOCKS)
)  # fmt: skip
_INSERT_LINES = insert(OrderLine).returning(*LINE_COLUMNS)
_INSERT_DISCOUNTS, _INSERT_TAXES = insert(OrderDiscount), insert(OrderTax)


def _insert(
    draft: OrderView,
    buyer: Buyer,
    holder: GuestKeys | None,
    lines: Sequence[CheckoutLine],
    pricing: Pricing,
    customer: str,
) -> OrderView:
    """Write an order with its lines, its discounts and taxes, and the first step of its history."""
    token = buyer.guest_token
    articles = (Article(line.name, line.sku) for line in lines)
    values = {
        **{name: getattr(draft, name) for name in _COLUMNS},
        "guest_token_hash": hash_token(guest_order_token(token, draft.number)) if token else None,
        "lookup_words": order_words.words_of(
            draft.number, draft.shipping_address, customer, articles
        ),
        **guest_limits.columns(holder, max(line.quantity for line in lines)),
    }
    order_id: int = run(_INSERT_ORDER, values).scalar_one()
    prices = zip(lines, pricing.lines, strict=True)
    rows = run(_INSERT_LINES, [_line_values(order_id, line, price) for line, price in prices])
    _insert_rows(_INSERT_DISCOUNTS, order_id, draft.discounts)
    _insert_rows(_INSERT_TAXES, order_id, draft.taxes)
    event = {"order_id": order_id, "user_id": buyer.user_id, **draft.events[0]._asdict()}
    run(_INSERT_EVENT, {**event, **guest_limits.lock_values(holder)})
    return draft._replace(id=order_id, lines=sorted(LineView._make(row) for row in rows))


def _insert_rows(
    statement: Insert, order_id: int, rows: Sequence[DiscountView] | Sequence[TaxView]
) -> None:
    if rows:
        run(statement, [{"order_id": order_id, **row._asdict()} for row in rows])


def _line_values(order_id: int, line: CheckoutLine, price: PricedLine) -> dict[str, object]:
    return {
        "order_id": order_id,
        "product_id": line.product_id,
        "variant_id": line.variant_id,
        "sku": line.sku,
        "name": line.name,
        "options": line.options,
        "unit_price": line.price,
        "quantity": line.quantity,
        "line_total": line_total(line.price, line.quantity),
        "discount_total": price.discount_total,
        "tax_total": price.tax_total,
    }


def _count_in_metrics(order: OrderView, lines: Sequence[CheckoutLine]) -> None:
    total, currency, is_guest = order.total, order.currency, order.user_id is None
    sold_out = sum(line.available == line.quantity for line in lines)
    after_commit(
        lambda: metrics.count_order(total, currency, 10 ** places(currency), is_guest, sold_out)
    )

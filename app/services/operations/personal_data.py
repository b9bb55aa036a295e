"""All that the shop knows of the owner of an account, for a copy of it (GDPR, articles 15 and 20).

The parts are read one after the other in one snapshot, AT_ONCE rows at a time, so that a copy of any
size fits into memory. The number of statements does not depend on the number of rows: orders, their
items and their history are three results in the same order, which are read side by side.

Secrets are left out, such as hashes of passwords and tokens: they are no information about the person.
Of answers that are stored under idempotency keys only the time is in the copy. An answer repeats for 24
hours what the other parts hold, as it was; a key is a hash, or a random word of the client's.

A table that is neither read here nor named in NOT_PERSONAL fails a test.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Integer, bindparam, func, select

from app.db.unit_of_work import open_snapshot
from app.domain.clock import rfc3339
from app.domain.money import to_text
from app.domain.people import emails
from app.extensions import db
from app.models import (
    AccountToken,
    Address,
    AuditEvent,
    Cart,
    CartCode,
    CartLine,
    Checkout,
    IdempotencyKey,
    ImportJob,
    Mail,
    Order,
    OrderDiscount,
    OrderEvent,
    OrderLine,
    OrderTax,
    Product,
    RecoveryCode,
    SecondFactor,
    SecurityEvent,
    Session,
    SignInStep,
    User,
    Variant,
)
from app.services.messages import idempotency, mail_service

Item = Mapping[str, Any]
Part = tuple[str, Item | Iterable[Item]]
"""The name of a part of the copy, with its one object or the items of its list."""
AT_ONCE = 500
_ID = bindparam("user_id", type_=Integer())

ACCOUNT = select(
    User.id, User.email, User.email_verified_at, User.first_name, User.last_name, User.role, User.is_active,
    User.created_at, User.updated_at,
).where(User.id == _ID)  # fmt: skip
_CODES = select(func.count(RecoveryCode.id)).where(RecoveryCode.user_id == _ID)
LISTS: Mapping[str, Executable] = {
    "second_factor": select(
        SecondFactor.created_at,
        SecondFactor.confirmed_at,
        _CODES.scalar_subquery().label("recovery_codes"),
    ).where(SecondFactor.user_id == _ID),
    "addresses": select(
        Address.name, Address.line1, Address.line2, Address.city, Address.region,
        Address.postal_code, Address.country, Address.phone, Address.created_at, Address.updated_at,
    ).where(Address.user_id == _ID).order_by(Address.id),
    "cart": select(
        Variant.sku, Product.name, Variant.options, CartLine.quantity, CartLine.price_seen,
        CartLine.created_at,
    )
    .join(Cart, Cart.id == CartLine.cart_id)
    .join(Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(Cart.user_id == _ID)
    .order_by(CartLine.id),
    "codes_in_cart": select(CartCode.code, CartCode.created_at)
    .join(Cart, Cart.id == CartCode.cart_id)
    .where(Cart.user_id == _ID)
    .order_by(CartCode.id),
    "checkout": select(Checkout.details, Checkout.order_number, Checkout.created_at)
    .join(Cart, Cart.id == Checkout.cart_id)
    .where(Cart.user_id == _ID),
    "sessions": select(
        Session.created_at, Session.last_used_at, Session.expires_at, Session.ended_at,
        Session.user_agent,
    ).where(Session.user_id == _ID).order_by(Session.id),
    "unfinished_sign_ins": select(SignInStep.created_at, SignInStep.expires_at)
    .where(SignInStep.user_id == _ID)
    .order_by(SignInStep.id),
    "links_in_mails": select(
        AccountToken.purpose, AccountToken.email, AccountToken.created_at, AccountToken.expires_at,
        AccountToken.used_at,
    ).where(AccountToken.user_id == _ID).order_by(AccountToken.id),
    "security_log": select(
        SecurityEvent.at, SecurityEvent.kind, SecurityEvent.address, SecurityEvent.detail,
        SecurityEvent.count,
    ).where(SecurityEvent.user_id == _ID).order_by(SecurityEvent.id),
    # Also those to a former address. Of other mails to the address nobody has proved whom they are
    # for: a guest's order may name it.
    "mails": select(
        Mail.template, Mail.recipient, Mail.status, Mail.created_at, Mail.ended_at
    )
    .where(mail_service.about_account(_ID))
    .order_by(Mail.id),
    "stored_answers": select(IdempotencyKey.created_at)
    .where(IdempotencyKey.scope.in_(bindparam("scopes", expanding=True)))
    .order_by(IdempotencyKey.id),
    "changes_by_staff": select(AuditEvent.at, AuditEvent.action, AuditEvent.changes)
    .where(AuditEvent.subject == "user", AuditEvent.subject_id == _ID)
    .order_by(AuditEvent.id),
    "own_changes_as_staff": select(
        AuditEvent.at, AuditEvent.door, AuditEvent.action, AuditEvent.subject,
        AuditEvent.subject_id,
    ).where(AuditEvent.user_id == _ID).order_by(AuditEvent.id),
    "imports": select(
        ImportJob.name, ImportJob.size, ImportJob.lines, ImportJob.status, ImportJob.created_at
    )
    .where(ImportJob.user_id == _ID)
    .order_by(ImportJob.id),
}  # fmt: skip
"""The lists of the copy by their names, each of one statement."""
ORDERS = select(
    Order.id, Order.number, Order.status, Order.currency, Order.subtotal, Order.discount_total,
    Order.shipping_total, Order.tax_total, Order.total, Order.tax_included, Order.tax_treatment,
    Order.shipping_method_name, Order.email, Order.shipping_address, Order.billing_address,
    Order.vat_id, Order.note, Order.placed_at, Order.updated_at,
).where(Order.user_id == _ID).order_by(Order.id)  # fmt: skip
ORDER_ITEMS = (
    select(
        OrderLine.order_id, OrderLine.sku, OrderLine.name, OrderLine.options,
        OrderLine.unit_price, OrderLine.quantity, OrderLine.line_total, OrderLine.discount_total,
        OrderLine.tax_total, Order.currency,
    )
    .join(Order, Order.id == OrderLine.order_id)
    .where(Order.user_id == _ID)
    .order_by(OrderLine.order_id, OrderLine.id)
)  # fmt: skip
ORDER_HISTORY = (
    select(
        OrderEvent.order_id, OrderEvent.status, OrderEvent.at, OrderEvent.done_by, OrderEvent.note
    )
    .join(Order, Order.id == OrderEvent.order_id)
    .where(Order.user_id == _ID)
    .order_by(OrderEvent.order_id, OrderEvent.id)
)
ORDER_DISCOUNTS = (
    select(
        OrderDiscount.order_id, OrderDiscount.name, OrderDiscount.code, OrderDiscount.kind,
        OrderDiscount.amount, Order.currency,
    )
    .join(Order, Order.id == OrderDiscount.order_id)
    .where(Order.user_id == _ID)
    .order_by(OrderDiscount.order_id, OrderDiscount.id)
)  # fmt: skip
ORDER_TAXES = (
    select(OrderTax.order_id, OrderTax.name, OrderTax.taxable, OrderTax.amount, Order.currency)
    .join(Order, Order.id == OrderTax.order_id)
    .where(Order.user_id == _ID)
    .order_by(OrderTax.order_id, OrderTax.id)
)
PARTS_OF_ORDERS = {
    "items": ORDER_ITEMS, "discounts": ORDER_DISCOUNTS, "taxes": ORDER_TAXES, "history": ORDER_HISTORY,
}  # fmt: skip
STATEMENTS = (ACCOUNT, *LISTS.values(), ORDERS, *PARTS_OF_ORDERS.values())
_AMOUNTS = {
    "subtotal", "discount_total", "shipping_total", "tax_total", "total", "unit_price",
    "line_total", "price_seen", "taxable", "amount",
}  # fmt: skip
_OF_ORDER = ("order_id", "currency")
"""Columns of items and history that their order has."""

NOT_PERSONAL: Mapping[str, str] = {
    "categories": "the shop's own",
    "events": "holds ids and the shop's own data",
    "jobs": "holds ids",
    "login_throttles": "counts of a day under keyed hashes, which name nobody",
    "promotion_articles": "the shop's own",
    "promotion_codes": "the shop's own",
    "promotions": "the shop's own",
    "redemptions": "an order's are its discounts again",
    "shipping_methods": "the shop's own",
    "shipping_places": "the shop's own",
    "shipping_zones": "the shop's own",
    "stock_movements": "an order's are its items again; those of staff are in the audit trail",
    "store": "the shop's own",
    "tax_rates": "the shop's own",
    "webhook_deliveries": "repeats events, which hold ids and the shop's own data",
    "webhook_endpoints": "the shop's own",
}
"""Why a table is not in the copy."""


def parts(user_id: int, currency: str) -> Iterator[Part]:
    """The parts of the copy. Each list has to be read before the next part is asked for.

    `currency` is the store's, in which the prices in the cart are.
    """
    open_snapshot()
    account = db.session.execute(ACCOUNT, {"user_id": user_id}).one()
    email_key = emails.key(account.email or "")
    scopes = [f"user:{user_id}", *idempotency.scopes_of_email(email_key)]
    values = {"user_id": user_id, "scopes": scopes}
    yield "account", _item(account, currency)
    for name, statement in LISTS.items():
        yield name, (_item(row, currency) for row in _rows(statement, values))
    yield "orders", _orders(values)


def _orders(values: Mapping[str, Any]) -> Iterator[Item]:
    parts = {name: _RowsByOrder(part, values) for name, part in PARTS_OF_ORDERS.items()}
    for row in _rows(ORDERS, values):
        order = {name: value for name, value in _item(row, row.currency).items() if name != "id"}
        yield {**order, **{name: rows.of(row.id) for name, rows in parts.items()}}


class _RowsByOrder:
    """The rows of a statement that is sorted by `order_id`, taken order by order."""

    def __init__(self, statement: Executable, values: Mapping[str, Any]) -> None:
        self._rows = _rows(statement, values)
        self._next = next(self._rows, None)

    def of(self, order_id: int) -> list[Item]:
        """The rows of an order; orders are to be asked for in the order of their ids."""
        items: list[Item] = []
        while self._next is not None and self._next.order_id == order_id:
            item = _item(self._next, getattr(self._next, "currency", ""))
            items.append({name: value for name, value in item.items() if name not in _OF_ORDER})
            self._next = next(self._rows, None)
        return items


def _rows(statement: Executable, values: Mapping[str, Any]) -> Iterator[Any]:
    return iter(db.session.execute(statement, values, execution_options={"yield_per": AT_ONCE}))


def _item(row: Any, currency: str) -> dict[str, Any]:
    return {name: _plain(name, value, currency) for name, value in row._mapping.items()}


def _plain(name: str, value: Any, currency: str) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    return to_text(value, currency) if name in _AMOUNTS else value

"""Erasure of personal data outside accounts, by staff on request.

The email address in a guest's order was never confirmed, so an account with the same address does not
prove that its owner placed the order. Deleting an account therefore leaves guests' orders as they are.
Staff erase them after they have checked who asks.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, or_, select, update

from app.domain.people import emails
from app.domain.people.actor import Actor
from app.errors import Invalid
from app.extensions import db
from app.models import IdempotencyKey, Order, OrderEvent, StockMovement
from app.models.catalogue import ERASED_REASON
from app.services import user_service
from app.services.accounts import throttle_service
from app.services.audit import security_log, trail
from app.services.buying import checkout_details
from app.services.inventory import inventory_service
from app.services.messages import mail_service

OPEN = ("pending", "processing")
MOST_NAMES = 50
MOST_REASONS = 1000


@dataclass(frozen=True)
class PersonalData:
    """The data about a person that the shop stores outside their account."""

    order_ids: Sequence[int]
    open_orders: int
    """How many of these orders are not shipped yet."""
    reasons: Mapping[int, str]
    """Reasons of stock movements that name the person, by id of the movement."""
    user_id: int | None
    """The account with this address. It is not erased."""


def find_personal_data(email: str, name: str = "") -> PersonalData:
    """Find what would be erased for an address and a name.

    Raises:
        Invalid: `email` is no address.
    """
    orders = _guest_orders(_clean(email))
    names = {name, email, *(_shipping_name(order) for order in orders)}
    user = user_service.find_by_email(email)
    return PersonalData(
        [order.id for order in orders],
        sum(order.status in OPEN for order in orders),
        _reasons_with(names),
        user.id if user else None,
    )


def erase_personal_data(actor: Actor, email: str, name: str = "") -> PersonalData:
    """Erase what `find_personal_data` finds. Orders and stock movements stay, without the person.

    Also deletes the stored answers to these orders, which repeat the email and the address, what was
    entered to order with this address, and mails to it. The audit trail records each order.

    Raises:
        Invalid: `email` is no address.
    """
    data = find_personal_data(email, name)
    _erase_orders(data.order_ids)
    checkout_details.erase(_clean(email))
    mail_service.erase(email)
    if data.reasons:
        inventory_service.erase_reasons(list(data.reasons))
    throttle_service.delete_counts(throttle_service.login_key(email))
    changes = {"personal_data": ["kept", "erased"]}
    if data.order_ids:
        trail.record_many(actor, "order.erased", dict.fromkeys(data.order_ids, changes))
    if data.reasons:
        reasons = {"reasons_of_stock_movements": [len(data.reasons), 0]}
        trail.record_many(actor, "shop.erased", {None: reasons})
    security_log.record_of(actor, security_log.PERSON_ERASED, f"{len(data.order_ids)} orders")
    return data


def _clean(email: str) -> str:
    try:
        return emails.clean(email)
    except emails.NotAnEmail as error:
        raise Invalid({"email": [str(error)]}) from None


def _guest_orders(email: str) -> Sequence[Order]:
    """Guests' orders with this address in any case, locked until the commit."""
    key = emails.key(email)
    query = (
        select(Order)
        .where(Order.user_id.is_(None))
        .where(or_(Order.email == email, func.lower(Order.email).in_({email.lower(), key})))
        .order_by(Order.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    return [order for order in db.session.scalars(query) if emails.key(order.email or "") == key]


def _shipping_name(order: Order) -> str:
    return str((order.shipping_address or {}).get("name", ""))


def _reasons_with(names: Iterable[str]) -> dict[int, str]:
    """Reasons written by staff that contain one of these addresses or full names.

    Names of one word are skipped: they may be words of many reasons ("Count", "Bill").
    """
    words = sorted({" ".join(name.casefold().split()) for name in names})
    words = [word for word in words if " " in word or "@" in word][:MOST_NAMES]
    if not words:
        return {}
    contains = [StockMovement.reason.icontains(word, autoescape=True) for word in words]
    query = select(StockMovement.id, StockMovement.reason).where(
        StockMovement.order_id.is_(None), StockMovement.reason != ERASED_REASON, or_(*contains)
    )
    rows = db.session.execute(query.order_by(StockMovement.id).limit(MOST_REASONS))
    pattern = re.compile("|".join(rf"(?<!\w){re.escape(word)}(?!\w)" for word in words))
    return {row.id: row.reason for row in rows if pattern.search(row.reason.casefold())}


def _erase_orders(ids: Collection[int]) -> None:
    options = {"synchronize_session": False}
    no_person = {
        "email": None,
        "shipping_address": None,
        "billing_address": None,
        "vat_id": None,
        "note": "",
        "guest_network_hash": None,
        "guest_email_hash": None,
        "guest_units": None,
    }
    db.session.execute(
        update(Order).where(Order.id.in_(ids)).values(no_person), execution_options=options
    )
    db.session.execute(
        update(OrderEvent).where(OrderEvent.order_id.in_(ids)).values(note=""),
        execution_options=options,
    )
    db.session.execute(
        delete(IdempotencyKey).where(IdempotencyKey.order_id.in_(ids)), execution_options=options
    )

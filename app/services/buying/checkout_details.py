"""What a buyer has entered to order a cart, stored between the form and its review.

It is personal data. A cart has one row, which is valid for LIFETIME, is shown to the browser that sent it and
to nobody else, and is erased by the order. After that the row has the order's number instead, so that whoever
goes back to the review sees the order.
"""

import uuid
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Executable, bindparam, delete, func, or_, select, update

from app.db import cleanup
from app.db.prepared import run, upsert
from app.domain.clock import utc_now
from app.domain.people import emails
from app.domain.people.buyer import Buyer
from app.domain.people.tokens import hash_token
from app.extensions import db
from app.models import Cart, Checkout
from app.services.buying.cart_contents import OF_CUSTOMER, OF_GUEST, owner_of

LIFETIME = timedelta(hours=1)


class CheckoutState(NamedTuple):
    """Where a checkout stands: the fields of its form and the idempotency key of its order, or the number
    of the order that was placed."""

    key: str
    details: dict[str, str] | None
    order_number: str | None


def store(buyer: Buyer, browser: str, details: dict[str, str]) -> bool:
    """Store the fields of the checkout's form, in place of those that were stored for this cart; whether
    there is a cart.

    Args:
        browser: the id of the browser, which alone gets them back.
    """
    cart_id = db.session.scalar(select(Cart.id).where(_owner(buyer)), _values(buyer))
    if cart_id is None:
        return False
    now = utc_now()
    values = {"cart_id": cart_id, "browser_hash": hash_token(browser), "key": uuid.uuid4().hex}
    row_id: int = run(_STORE, {**values, "details": details, "created_at": now}).scalar_one()
    if cleanup.is_due(row_id):
        cleanup.delete_batch(Checkout, Checkout.created_at < now - LIFETIME)
    return True


def find(buyer: Buyer, browser: str) -> CheckoutState | None:
    """The checkout of this cart, if this browser has sent it within LIFETIME."""
    if owner_of(buyer) is None:
        return None
    query = select(Checkout.key, Checkout.details, Checkout.order_number).join(Cart)
    row = db.session.execute(
        query.where(
            _owner(buyer),
            Checkout.browser_hash == hash_token(browser),
            Checkout.created_at > utc_now() - LIFETIME,
        ),
        _values(buyer),
    ).one_or_none()
    return CheckoutState(*row) if row else None


def finish(buyer: Buyer, order_number: str) -> None:
    """Erase what was entered for a cart, now that its order is placed."""
    of_cart = Checkout.cart_id == select(Cart.id).where(_owner(buyer)).scalar_subquery()
    db.session.execute(
        update(Checkout).where(of_cart).values(details=None, order_number=order_number),
        _values(buyer),
        execution_options={"synchronize_session": False},
    )


def erase(email: str) -> None:
    """Erase what guests have entered with this address."""
    entered = func.lower(Checkout.details["email"].as_string())
    is_theirs = or_(entered == email.lower(), entered == emails.key(email))
    db.session.execute(
        delete(Checkout).where(is_theirs), execution_options={"synchronize_session": False}
    )


def _owner(buyer: Buyer) -> Any:
    return OF_CUSTOMER if buyer.user_id is not None else OF_GUEST


def _values(buyer: Buyer) -> dict[str, object]:
    return {"owner": owner_of(buyer)}


def _store_statement(insert_into: Any) -> Executable:
    names = ("cart_id", "browser_hash", "key", "details", "created_at")
    columns = Checkout.__table__.columns
    values = {name: bindparam(name, type_=columns[name].type) for name in names}
    statement = insert_into(Checkout).values(values)
    replaced = {name: statement.excluded[name] for name in names[1:]}
    upserted: Executable = statement.on_conflict_do_update(
        index_elements=["cart_id"], set_={**replaced, "order_number": None}
    ).returning(Checkout.id)
    return upserted


_STORE = upsert(_store_statement)

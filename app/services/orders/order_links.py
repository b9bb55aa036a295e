"""The links with which guests open their orders from a mail.

A guest's order token is derived from the token of their cart, which is not stored, so a worker cannot
make it again. The token in a mail's link is derived from the order's number under SECRET_KEY instead.
The order stores its hash, so that links in older mails work after SECRET_KEY has changed.
"""

import base64
import hmac

from sqlalchemy import select, update

from app.domain.people.tokens import hash_token
from app.extensions import db
from app.keyed_hashes import keyed_hashes
from app.models import Order

PURPOSE = "order link"


def link_token(number: str) -> str | None:
    """The token of a guest's order; None for a customer's order, which the account opens.

    Stores its hash, if the order has none of a key that is still known.
    """
    query = select(Order.id, Order.user_id, Order.guest_token_hash, Order.link_token_hash)
    row = db.session.execute(query.where(Order.number == number).with_for_update()).one_or_none()
    if row is None or row.user_id is not None or row.guest_token_hash is None:
        return None
    tokens = [_encode(digest) for digest in keyed_hashes(PURPOSE, number)]
    for token in tokens:
        if hmac.compare_digest(hash_token(token), row.link_token_hash or ""):
            return token
    db.session.execute(
        update(Order)
        .where(Order.id == row.id)
        .values(link_token_hash=hash_token(tokens[0]), updated_at=Order.updated_at)
        .execution_options(synchronize_session=False)
    )
    return tokens[0]


def _encode(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")

"""Signing in as a buyer: what lies in the guest cart comes along, in the same transaction."""

from datetime import timedelta

from app.errors import ShopError
from app.models import Session
from app.services.accounts import auth_service, second_step
from app.services.accounts.auth_service import Attempt
from app.services.accounts.second_step import CodeAttempt
from app.services.buying import cart_service


def sign_in_with_cart(
    attempt: Attempt | CodeAttempt, lifetime: timedelta, cart_token: str | None
) -> Session | ShopError:
    """Open a session as `auth_service.sign_in` or `second_step.sign_in` does, and merge the guest
    cart, if there is one, into the account's. A refusal is returned, so that it is counted, and
    merges nothing; so does a right password where a code is missing yet."""
    if isinstance(attempt, CodeAttempt):
        session = second_step.sign_in(attempt, lifetime)
    else:
        session = auth_service.sign_in(attempt, lifetime)
    if cart_token and isinstance(session, Session):
        cart_service.merge_guest_cart(cart_token, session.user_id)
    return session

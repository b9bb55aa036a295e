"""Addresses of accounts: confirmed, or replaced by another one, by a link that was sent there."""

from app.domain.clock import utc_now
from app.domain.people import emails
from app.domain.people.actor import Actor
from app.errors import Conflict, Invalid, ShopError, TooManyAttempts
from app.extensions import db
from app.models import User
from app.services import user_service
from app.services.accounts import account_tokens, auth_service, throttle_service
from app.services.accounts.auth_service import Attempt
from app.services.audit import security_log
from app.services.messages import mail_rules


def request_confirmation(actor: Actor) -> None:
    """Send a link to the caller's address, unless it is confirmed already.

    Raises:
        TooManyAttempts: the account has got its links of this day.
    """
    user = user_service.lock_caller(actor)
    if not user.email_verified:
        _send(user, "verify", user.email or "")


def request_change(actor: Actor, attempt: Attempt, new_email: str) -> User | ShopError:
    """Send a link to a new address, which replaces the present one once it is confirmed.

    Whether somebody else has the address is not told: the link goes to it anyway, and is refused there.
    A refusal of the password is returned, so that it is counted.

    Raises:
        TooManyAttempts: the account has got its links of this day.
    """
    user = auth_service.record_attempt(
        attempt, Invalid({"password": ["This is not your password."]})
    )
    if isinstance(user, ShopError):
        security_log.record_of(actor, security_log.PASSWORD_REFUSED)
        return user
    is_present = emails.key(new_email) == emails.key(user.email or "")
    if not (is_present and user.email == new_email and user.email_verified):
        _send(user, "verify" if user.email == new_email else "email", new_email)
    return user


def confirm(token: str, client: str | None) -> User:
    """Confirm the address that a link was sent to; a new one replaces the account's.

    Raises:
        Invalid: `token_invalid`.
        Conflict: `email_taken`: meanwhile another account has the new address.
    """
    user = user_service.lock_user(account_tokens.find(token, "verify", "email").user_id)
    used = account_tokens.use(token, "verify", "email")
    if used.purpose == "email":
        _replace_address(user, used, client)
    user.email_verified_at = utc_now()
    db.session.flush()
    return user


def _replace_address(user: User, token: account_tokens.OpenToken, client: str | None) -> None:
    holder = user_service.find_by_email(token.email)
    if holder is not None and holder.id != user.id:
        raise Conflict("email_taken", "Another account has this email address.")
    mail_rules.queue_email_changed(user, f"token {token.id}")
    throttle_service.delete_counts(throttle_service.login_key(user.email or ""))
    user.email, user.email_key = token.email, emails.key(token.email)
    account_tokens.end_all(user.id)  # not deleted: they count as links of this day
    security_log.record(security_log.EMAIL_CHANGED, user.id, client)


def _send(user: User, purpose: str, email: str) -> None:
    if not account_tokens.send_link(user, purpose, email):
        detail = "Too many links were sent. Try again tomorrow."
        raise TooManyAttempts("too_many_mails", detail, retry_after=86_400)

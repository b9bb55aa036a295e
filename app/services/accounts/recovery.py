"""The way back into an account whose password is forgotten.

Whether an address has an account is not to be told, by answers or by their time. A request therefore stores
the same job in either case, and the worker does what differs: it issues the token, and queues the mail.
"""

import secrets

from app.domain.clock import utc_now
from app.domain.people import emails
from app.extensions import db
from app.models import User
from app.services import user_service
from app.services.accounts import account_tokens, session_service, throttle_service
from app.services.audit import security_log
from app.services.messages import job_queue, mail_rules

KIND = "password_forgot"
"""The kind of the jobs that send links."""


def request_link(email: str) -> None:
    """Let the worker send a link to the account of an address, if there is one."""
    key = emails.key(email)
    user_id = user_service.find_id(email, key)
    job_queue.enqueue(KIND, secrets.token_hex(16), {"user": user_id})


def send_link(user_id: int | None) -> None:
    """Queue the mail with the link; none for a closed account, or after too many of them."""
    user = user_service.lock_active(user_id) if user_id is not None else None
    if user is not None:
        account_tokens.send_link(user, "reset", user.email or "")


def find_user(token: str) -> User:
    """The account whose password a link sets.

    Raises:
        Invalid: `token_invalid`.
    """
    return user_service.get_user(account_tokens.find(token, "reset").user_id)


def reset_password(token: str, password_hash: str, client: str | None) -> User:
    """Store a new password's hash, and end all sessions of the account. Its second factor stays.

    Args:
        client: the client's network address.

    Raises:
        Invalid: `token_invalid`.
    """
    user = user_service.lock_user(account_tokens.find(token, "reset").user_id)
    account_tokens.use(token, "reset")
    user.set_password(password_hash)
    user.email_verified_at = user.email_verified_at or utc_now()  # the link came to the address
    session_service.end_all(user.id)
    # Codes of the second factor are still counted: the link proves nothing about them.
    throttle_service.delete_counts(throttle_service.login_key(user.email or ""))
    security_log.record(security_log.PASSWORD_CHANGED, user.id, client, "by a link from a mail")
    mail_rules.queue_password_changed(user)
    db.session.flush()
    return user

"""Accounts of staff, which the shop's operators create."""

from app.domain.people.actor import Actor
from app.errors import Conflict
from app.extensions import db
from app.models import User
from app.services import user_service
from app.services.accounts import session_service, throttle_service
from app.services.audit import security_log, trail
from app.services.messages import mail_rules


def make_admin(actor: Actor, email: str, password_hash: str | None, promote: bool) -> str:
    """Give an email address an admin's account: a new one, or with `promote` its present one.

    Returns `made`, `promoted` or `an admin already`.

    Args:
        password_hash: the account's new password; None keeps the password of an existing account.

    Raises:
        Conflict: `email_taken`: the address has an account, and `promote` is False.
        Invalid: the text is no email address.
    """
    user = user_service.find_by_email(email)
    if user is None:
        user = user_service.add(email, password_hash or user_service.NO_PASSWORD, role="admin")
        trail.record(actor, "user.created", user.id, {}, user_service.audited_state(user))
        security_log.record_of(actor, security_log.RIGHTS_CHANGED, f"admin {user.id} was created")
        return "made"
    if not promote:
        raise Conflict(
            "email_taken", f"{email} has an account already. Add --promote to make it an admin's."
        )
    before = user.role
    user_service.update_user(actor, user.id, "admin")
    if password_hash:
        _set_password(user, password_hash)
        trail.record(actor, "user.password_set", user.id, {}, {"password": "set"})
        security_log.record(security_log.PASSWORD_CHANGED, user.id, None, "command")
    return "promoted" if before != "admin" else "an admin already"


def _set_password(user: User, password_hash: str) -> None:
    """Set a password, end all sessions, and delete the failures that were counted."""
    user.set_password(password_hash)
    session_service.end_all(user.id)
    throttle_service.delete_counts(throttle_service.login_key(user.email or ""))
    mail_rules.queue_password_changed(user)
    db.session.flush()

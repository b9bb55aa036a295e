"""Accounts of staff, made by whoever operates the shop."""

from app.domain.people.actor import Actor
from app.errors import Conflict
from app.extensions import db
from app.models import User
from app.services import user_service
from app.services.accounts import session_service, throttle_service
from app.services.audit import security_log, trail


def make_admin(actor: Actor, email: str, password_hash: str | None, promote: bool) -> str:
    """Make an admin of an address: a new account, or with `promote` the one that it has.

    A hash becomes the account's password; without one an existing account keeps its own. Returns
    a word for what was done.

    Raises:
        Conflict: `email_taken`: it has an account, and `promote` does not allow to use that.
        Invalid: it is no address.
    """
    user = user_service.find_by_email(email)
    if user is None:
        hashed = password_hash or user_service.NO_PASSWORD
        made = user_service.add(email, hashed, role="admin")
        trail.record(actor, "user.created", made.id, {}, user_service.standing(made))
        security_log.record_of(actor, security_log.RIGHTS_CHANGED, f"admin {made.id} was created")
        return "made"
    if not promote:
        raise Conflict(
            "email_taken", f"{email} has an account already. Add --promote to make it an admin's."
        )
    before = user.role
    user_service.set_role(actor, user.id, "admin")
    if password_hash:
        _set_password(user, password_hash)
        trail.record(actor, "user.password_set", user.id, {}, {"password": "set"})
        security_log.record(security_log.PASSWORD_CHANGED, user.id, None, "command")
    return "promoted" if before != "admin" else "an admin already"


def _set_password(user: User, password_hash: str) -> None:
    """Whoever was signed in with the old one is not any more; whoever was locked out is let in."""
    user.set_password(password_hash)
    session_service.end_all(user.id)
    throttle_service.delete_counts(throttle_service.login_key(user.email or ""))
    db.session.flush()

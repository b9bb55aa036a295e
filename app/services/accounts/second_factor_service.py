"""What the owner of an account does with its second factor, and staff if it is lost."""

from dataclasses import dataclass

from app.domain.people import second_factor
from app.domain.people.actor import Actor
from app.errors import Conflict, Invalid, ShopError
from app.models import User
from app.services import user_service
from app.services.accounts import auth_service, second_factors, session_service, throttle_service
from app.services.accounts.auth_service import Attempt
from app.services.audit import security_log, trail
from app.services.messages import mail_rules


@dataclass(frozen=True)
class Setup:
    """What an authenticator needs to make an account's codes."""

    secret: str
    otpauth_uri: str


def begin(actor: Actor, attempt: Attempt, issuer: str) -> Setup | ShopError:
    """Store a new secret for the caller, whose password was compared; `issuer` is the shop's name.

    Nothing is asked for at sign-ins before `confirm`. A refusal of the password is returned, so that it
    is counted.

    Raises:
        Conflict: `mfa_enabled`.
    """
    user = _record(actor, attempt)
    if isinstance(user, ShopError):
        return user
    if second_factors.is_enabled(user.id):
        raise Conflict("mfa_enabled", "This account has a second factor already; remove it first.")
    return _setup(user, second_factors.begin(user.id, actor.session_id), issuer)


def pending_setup(actor: Actor, issuer: str) -> Setup | None:
    """The setup that the caller has begun in this session, a short while ago, and not confirmed yet."""
    user = user_service.get_user(actor.user_id or 0)
    secret = second_factors.pending_secret(user.id, actor.session_id)
    return _setup(user, secret, issuer) if secret else None


def confirm(actor: Actor, code: str) -> list[str] | ShopError:
    """Ask for codes from now on; returns the recovery codes, which nothing shows again.

    All other sessions end, because they were opened without the second factor, and open links of mails
    become invalid. A wrong code is returned, so that it is counted.

    Raises:
        Conflict: `mfa_not_begun`, `mfa_enabled`.
    """
    guards = throttle_service.own_guards(actor.user_id or 0, actor.session_id)
    rows = throttle_service.lock_counts(guards)
    too_many = throttle_service.refusal(guards, rows)
    if too_many:
        return too_many
    user = user_service.lock_caller(actor)
    _refuse_unless_pending(user.id, actor.session_id)
    if not second_factors.confirm(user.id, actor.session_id, code):
        throttle_service.record_failure(guards, rows)
        security_log.record_of(actor, security_log.CODE_REFUSED)
        return Invalid({"code": ["This is not the present code. Check the clock of your device."]})
    throttle_service.record_success(guards, rows)
    _forget_password_alone(user, actor)
    security_log.record_of(actor, security_log.SECOND_FACTOR_ADDED)
    return second_factors.renew_recovery_codes(user.id)


def renew_recovery_codes(actor: Actor, attempt: Attempt) -> list[str] | ShopError:
    """Make new recovery codes for the caller; the old ones count no more.

    A refusal of the password is returned, so that it is counted.

    Raises:
        Conflict: `mfa_not_enabled`.
    """
    user = _record(actor, attempt)
    if isinstance(user, ShopError):
        return user
    if not second_factors.is_enabled(user.id):
        raise _not_enabled()
    security_log.record_of(actor, security_log.RECOVERY_CODES_RENEWED)
    return second_factors.renew_recovery_codes(user.id)


def remove(actor: Actor, attempt: Attempt) -> User | ShopError:
    """Remove the caller's second factor, or a setup that was begun.

    A refusal of the password is returned, so that it is counted.

    Raises:
        Conflict: `mfa_not_enabled`.
    """
    user = _record(actor, attempt)
    if isinstance(user, ShopError):
        return user
    if not second_factors.remove(user.id):
        raise _not_enabled()
    security_log.record_of(actor, security_log.SECOND_FACTOR_REMOVED)
    return user


def remove_for(actor: Actor, user_id: int) -> User:
    """Remove the second factor of somebody who has lost it, by staff. Its sessions end.

    Raises:
        NotFound
        Conflict: `mfa_not_enabled`; `own_account`: one's own is removed with the password.
    """
    if user_id == actor.user_id:
        raise Conflict("own_account", "Remove your own second factor on your account's page.")
    user = user_service.lock_user(user_id)
    if not second_factors.remove(user.id):
        raise _not_enabled()
    session_service.end_all(user.id)
    throttle_service.delete_counts(throttle_service.code_key(user.id))
    trail.record(actor, "user.mfa_removed", user.id, {"mfa": True}, {"mfa": False})
    detail = f"of account {user.id}, by staff"
    security_log.record_of(actor, security_log.SECOND_FACTOR_REMOVED, detail)
    mail_rules.queue_second_factor_removed(user)
    return user


def _record(actor: Actor, attempt: Attempt) -> User | ShopError:
    refusal = Invalid({"password": ["This is not your password."]})
    user = auth_service.record_attempt(attempt, refusal)
    if isinstance(user, ShopError):
        security_log.record_of(actor, security_log.PASSWORD_REFUSED)
    return user


def _forget_password_alone(user: User, actor: Actor) -> None:
    """Trust nothing that somebody may have got with the password alone.

    Devices and networks that signed in before would otherwise have free tries at the codes.
    """
    session_service.end_all(user.id, except_id=actor.session_id)
    session_service.erase_places(user.id, except_id=actor.session_id)
    user.password_version += 1  # what device tokens and links of mails are bound to


def _refuse_unless_pending(user_id: int, session_id: int | None) -> None:
    if second_factors.is_enabled(user_id):
        raise Conflict("mfa_enabled", "This account has a second factor already.")
    if second_factors.pending_secret(user_id, session_id) is None:
        raise Conflict("mfa_not_begun", "Begin to set up the second factor first.")


def _setup(user: User, secret: str, issuer: str) -> Setup:
    return Setup(secret, second_factor.setup_uri(secret, user.email or "", issuer))


def _not_enabled() -> Conflict:
    return Conflict("mfa_not_enabled", "This account has no second factor.")

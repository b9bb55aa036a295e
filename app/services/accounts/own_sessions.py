"""What people do with their own sessions: end one, all others, or all."""

from app.domain.people.actor import Actor
from app.services import user_service
from app.services.accounts import account_tokens, session_service
from app.services.audit import security_log


def sign_out_everywhere(actor: Actor) -> None:
    """End all sessions of the caller, this one included, and open links of mails.

    Raises:
        Unauthenticated: the account was closed since the request came in.
    """
    user = user_service.lock_caller(actor)
    session_service.end_all(user.id)
    account_tokens.end_all(user.id)
    security_log.record_of(actor, security_log.SIGNED_OUT_EVERYWHERE)


def sign_out_elsewhere(actor: Actor) -> None:
    """End all sessions of the caller but this one, and open links of mails.

    Raises:
        Unauthenticated: the account was closed since the request came in.
    """
    user = user_service.lock_caller(actor)
    session_service.end_all(user.id, except_id=actor.session_id)
    account_tokens.end_all(user.id)
    security_log.record_of(actor, security_log.SIGNED_OUT_EVERYWHERE, "but here")


def end_session(actor: Actor, session_id: int) -> None:
    """End one session of the caller.

    Raises:
        NotFound: there is none, it has ended, or it is somebody else's.
    """
    session_service.end_own(actor, session_id)
    security_log.record_of(actor, security_log.SESSION_ENDED)

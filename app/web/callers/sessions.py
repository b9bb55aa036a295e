"""The session of a request: whose it is, and the program that uses it."""

import logging
from dataclasses import replace

from flask import current_app, request
from sqlalchemy.exc import DBAPIError

from app.db.unit_of_work import in_transaction
from app.domain.people import user_agents
from app.domain.people.actor import Actor
from app.services.accounts import session_service
from app.services.accounts.session_service import SignedIn

log = logging.getLogger(__name__)


def find_actor(session_id: int) -> Actor | None:
    """The user of this session; None if it has ended, or the account may not sign in.

    Stores from time to time that the session is in use. A request is answered where that fails.
    """
    caller = session_service.find_caller(session_id)
    if caller is None:
        return None
    if caller.is_use_due:
        try:
            in_transaction(lambda: session_service.note_use(session_id))
        except DBAPIError as error:
            log.warning("The use of a session was not stored: %s", type(error.orig).__name__)
    if current_app.config["REQUIRE_STAFF_MFA"] and caller.actor.is_admin:
        return _with_second_factor(caller)
    return caller.actor


def _with_second_factor(caller: SignedIn) -> Actor:
    """Staff as such only if their account has a second factor. Without one they act as customers, since
    services grant staff more than the routes that are for staff alone."""
    if caller.has_second_factor:
        return caller.actor
    return replace(caller.actor, role="customer", needs_second_factor=True)


def user_agent() -> str:
    """The program that calls, as a session stores it."""
    return user_agents.clean(request.headers.get("User-Agent", ""))

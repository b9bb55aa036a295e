"""The session of a request: whose it is, and the program that uses it."""

import logging

from flask import request
from sqlalchemy.exc import DBAPIError

from app.db.unit_of_work import in_transaction
from app.domain.people import user_agents
from app.domain.people.actor import Actor
from app.services.accounts import session_service

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
    return caller.actor


def user_agent() -> str:
    """The program that calls, as a session stores it."""
    return user_agents.clean(request.headers.get("User-Agent", ""))

"""The page of an account's security: its second factor, and where it is signed in."""

from flask import Response, flash, request, url_for

from app.db.paging import MAX_DEPTH
from app.db.unit_of_work import in_transaction
from app.domain.people import user_agents
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.layout import page
from app.schemas.paging import PageArgs
from app.services.accounts import own_sessions, second_factors, session_service
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor

blp = PageBlueprint("account_security", __name__, url_prefix="/account/security")
PAGE = PageArgs(only=["page"])
PER_PAGE = 20


@blp.get("")
@login_required
def overview() -> Response:
    """The second factor, and where the account is signed in."""
    number = 1 if PAGE.validate(request.args) else PAGE.load(request.args)["page"]
    number = min(number, MAX_DEPTH // PER_PAGE)
    sessions = session_service.list_sessions(current_actor(), number, PER_PAGE)
    return page(
        "security.html",
        factor=second_factors.state_of(current_actor().user_id or 0),
        sessions=sessions,
        describe=user_agents.describe,
        page_href=_page_href,
    )


@blp.post("/sessions/<int(max=9223372036854775807):session_id>/end")
@login_required
def end_session(session_id: int) -> Response:
    """End one other session of the account."""
    actor = current_actor()
    in_transaction(lambda: own_sessions.end_session(actor, session_id))
    return _back("That session has ended.")


@blp.post("/end-others")
@login_required
def end_others() -> Response:
    """End all sessions of the account but this one."""
    actor = current_actor()
    in_transaction(lambda: own_sessions.sign_out_elsewhere(actor))
    return _back("All other sessions have ended.")


def _page_href(number: int) -> str:
    return url_for(".overview", page=number)


def _back(message: str) -> Response:
    flash(message)
    return see_other(url_for(".overview"))

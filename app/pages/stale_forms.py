"""Forms that came too late: somebody else is signed in by now, or nobody, or the cookie was lost.

Nothing is done. The page says why and has the form again with what was entered, to be sent once more. No
view has to know of it. Passwords and files are not repeated: their forms are opened anew.
"""

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from app.observability import metrics
from app.pages.csrf import FIELD, CsrfFailed, StaleForm, check_csrf, csrf_token
from app.pages.form_address import form_address
from app.pages.forms import SECRETS
from app.pages.layout import page
from app.services import user_service
from app.web.callers.identity import current_actor

STATUS = 409
"""The request conflicts with the present state, and can be sent again (RFC 9110, section 15.5.10)."""


def ask_again(form: StaleForm, may_send: bool = True) -> Response:
    """Show a form again, to be sent for the account that is signed in now, or, without `may_send`, after
    signing in to the account for which it was opened."""
    metrics.count_refusal(form.code)
    user_id = current_actor().user_id
    waits_for_sign_in = form.account and (user_id is None or not may_send)
    return page(
        "stale_form.html",
        STATUS,
        is_lost=form.account is None,
        email=user_service.get_user(user_id).email if user_id is not None else None,
        may_send=may_send,
        fields=_fields(),
        token=csrf_token(form.account) if waits_for_sign_in else csrf_token(),
        address=request.full_path.rstrip("?"),
        back=form_address() or request.path,
        has_cookie="HTTP_COOKIE" in request.environ,
    )


def stale_form() -> StaleForm | None:
    """The refusal of the form in this request, if it is one of this shop for another account."""
    try:
        check_csrf()
    except StaleForm as form:
        return form
    except (CsrfFailed, RequestEntityTooLarge):
        pass
    return None


def _fields() -> list[tuple[str, str]] | None:
    """What was entered; None where a part of it cannot be repeated."""
    fields = list(request.form.items(multi=True))
    if any(name in SECRETS for name, _ in fields) or request.files:
        return None
    return [(name, value) for name, value in fields if name != FIELD]

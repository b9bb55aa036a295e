"""The page of an account's address: whether it is confirmed, and the form of another one."""

from flask import Response, flash, url_for
from marshmallow import Schema

from app.db.unit_of_work import in_transaction
from app.domain.people.actor import Actor
from app.errors import unless_refused
from app.models import User
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.forms import Form
from app.pages.layout import form_page
from app.schemas.auth import ChangeEmailSchema
from app.services import user_service
from app.services.accounts import auth_service, confirmations
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor
from app.web.limits import rate_limits

blp = PageBlueprint("account_email", __name__, url_prefix="/account/email")
CHANGE, NO_FIELDS = ChangeEmailSchema(), Schema()


@blp.get("")
@login_required
def show() -> Response:
    """The present address, and the form of another one."""
    return _page(Form())


@blp.post("")
@rate_limits.shares_password_budget
@login_required
def change() -> Response:
    """Send a link to a new address."""
    form = Form.from_request()
    if form.carry_out(CHANGE, _request_change) is None:
        return _page(form)
    flash("A mail with a link is on its way to the new address. Follow it to change the address.")
    return see_other(url_for(".show"))


@blp.post("/send-again")
@login_required
def send_again() -> Response:
    """Send another link to confirm the present address."""
    actor, form = current_actor(), Form()
    done = form.carry_out(NO_FIELDS, lambda _: in_transaction(lambda: _send_link(actor)))
    if done is None:
        return _page(form)
    flash("A mail with a link is on its way.")
    return see_other(url_for(".show"))


def _request_change(body: dict[str, str]) -> User:
    actor = current_actor()
    attempt = auth_service.try_own_password(actor, body["password"])
    return unless_refused(
        in_transaction(lambda: confirmations.request_change(actor, attempt, body["new_email"]))
    )


def _send_link(actor: Actor) -> bool:
    confirmations.request_confirmation(actor)
    return True


def _page(form: Form) -> Response:
    return form_page("email.html", form, user=user_service.get_user(current_actor().user_id or 0))

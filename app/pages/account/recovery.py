"""Pages for people who come with a link from a mail, or ask for one.

A link's token is in the address of its page. The page therefore sends no Referer, and its form carries the
token on in a hidden field. Looking at it changes nothing: programs that check mails follow links.
"""

from flask import Response, flash, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.db.unit_of_work import in_transaction
from app.errors import Invalid
from app.models import User
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.csrf import any_account
from app.pages.forms import Form
from app.pages.layout import form_page
from app.schemas.auth import ForgotPasswordSchema, ResetPasswordSchema, TokenSchema
from app.services.accounts import (
    account_tokens,
    auth_service,
    confirmations,
    password_hashing,
    recovery,
)
from app.services.operations import store_service
from app.web.limits import rate_limits

blp = PageBlueprint("recovery_pages", __name__)
rate_limits.limit_as_sign_in(blp)
FORGOT, RESET, TOKEN = ForgotPasswordSchema(), ResetPasswordSchema(), TokenSchema()
LINK_SENT = "If there is an account with this address, a mail with a link is on its way to it."


@blp.after_request
def send_no_referer(response: Response) -> Response:
    """Keep the tokens of links from whatever is opened next."""
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


@blp.get("/password/forgot")
def show_forgot() -> Response:
    """The form that asks for a link."""
    return form_page("password_forgot.html", Form())


@blp.post("/password/forgot")
@any_account
def forgot() -> Response:
    """Send a link, if there is an account; the answer is the same if there is none."""
    form = Form.from_request()
    if not _carried_out(form):
        return form_page("password_forgot.html", form)
    flash(LINK_SENT)
    return see_other(url_for(".show_forgot"))


@blp.get("/password/reset")
def show_reset() -> AnyResponse:
    """The form of a new password; without a token, that of a link."""
    token = request.args.get("token", "")
    if not token:
        return see_other(url_for(".show_forgot"))
    form = Form({"token": token})
    try:
        recovery.find_user(token)
    except Invalid as refusal:
        form.show_refusal(refusal)
    return form_page("password_reset.html", form)


@blp.post("/password/reset")
@any_account
@rate_limits.shares_password_budget
def reset() -> Response:
    """Set a new password; its owner then signs in with it."""
    form = Form.from_request()
    if form.carry_out(RESET, _reset) is None:
        return form_page("password_reset.html", form)
    flash("Your password is changed, and you are signed out everywhere. Sign in with the new one.")
    return see_other(url_for("sign_in.show_login"))


@blp.get("/email/verify")
def show_verify() -> AnyResponse:
    """The button that confirms an address; without a token, the page of the account's address."""
    token = request.args.get("token", "")
    if not token:
        return see_other(url_for("account_email.show"))
    form = Form({"token": token})
    try:
        account_tokens.find(token, "verify", "email")
    except Invalid as refusal:
        form.show_refusal(refusal)
    return form_page("email_verify.html", form)


@blp.post("/email/verify")
@any_account
def verify() -> Response:
    """Confirm an address."""
    form = Form.from_request()
    if form.carry_out(TOKEN, _confirm) is None:
        return form_page("email_verify.html", form)
    flash("Your address is confirmed.")
    return see_other(url_for("storefront.home"))


def _confirm(body: dict[str, str]) -> User:
    client = request.remote_addr
    return in_transaction(lambda: confirmations.confirm(body["token"], client))


def _carried_out(form: Form) -> bool:
    def work(body: dict[str, str]) -> bool:
        in_transaction(lambda: recovery.request_link(body["email"]))
        return True

    return form.carry_out(FORGOT, work) is not None


def _reset(body: dict[str, str]) -> User:
    token, client = body["token"], request.remote_addr
    user = recovery.find_user(token)
    store_name = store_service.known_details().name
    auth_service.refuse_weak_password_of(user, body["new_password"], store_name)
    new_hash = password_hashing.hash_password(body["new_password"])
    return in_transaction(lambda: recovery.reset_password(token, new_hash, client))

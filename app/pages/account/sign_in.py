"""Signing in, making an account, signing out."""

from collections.abc import Callable
from typing import NamedTuple

from flask import Response, flash, request, url_for
from marshmallow import Schema
from werkzeug.wrappers import Response as AnyResponse

from app.db.unit_of_work import in_transaction
from app.errors import SecondFactorRequired, unless_refused
from app.models import Session
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.csrf import any_account, check_account
from app.pages.forms import Form
from app.pages.layout import form_page
from app.schemas.auth import CodeSchema, LoginSchema, RegisterSchema
from app.services.accounts import (
    auth_service,
    device_tokens,
    password_hashing,
    second_step,
    session_service,
)
from app.services.buying import cart_service
from app.services.buying.sign_in import sign_in_with_cart
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor
from app.web.callers.sessions import user_agent
from app.web.callers.sign_in_cookie import set_sign_in_cookie, unset_sign_in_cookie
from app.web.callers.tokens import session_lifetime
from app.web.limits import rate_limits
from app.web.redirects import safe_target

blp = PageBlueprint("sign_in", __name__)
rate_limits.limit_as_sign_in(blp)
CODE, CREDENTIALS = CodeSchema(), LoginSchema()
NEW_ACCOUNT = RegisterSchema()
SIGNED_IN = "You are signed in."


class SignIn(NamedTuple):
    """A new session, and the device tokens for the browser to store."""

    session: Session
    device: str


@blp.get("/login")
def show_login() -> AnyResponse:
    """The form to sign in with."""
    return _form("login.html", Form())


@blp.post("/login")
@any_account
@rate_limits.shares_password_budget
def login() -> AnyResponse:
    """Sign in; the guest's cart is merged into the account's."""
    return _answer("login.html", CREDENTIALS, _open_session, SIGNED_IN)


@blp.get("/login/code")
def show_code() -> AnyResponse:
    """The form of the code that completes a sign-in."""
    return _code_form(Form())


@blp.post("/login/code")
@any_account
def complete() -> AnyResponse:
    """Complete a sign-in with a code; the guest's cart is merged into the account's."""
    if current_actor().user_id is not None:
        return _signed_in_already("login.html")
    form = Form.from_request()
    sign_in = form.carry_out(CODE, _complete_session)
    return _code_form(form) if sign_in is None else _enter(sign_in, SIGNED_IN)


@blp.get("/register")
def show_register() -> AnyResponse:
    """The form of a new account."""
    return _form("register.html", Form())


@blp.post("/register")
@any_account
@rate_limits.shares_password_budget
def register() -> AnyResponse:
    """Create an account, and sign in to it."""
    message = "Welcome! Your account is ready."
    return _answer("register.html", NEW_ACCOUNT, _open_account, message)


@blp.post("/logout")
@any_account
@login_required
def logout() -> Response:
    """End this session, also for others who hold its tokens. Whoever has signed out in another tab is asked
    to sign in, not to send the form again."""
    check_account()
    session_id = current_actor().session_id or 0
    in_transaction(lambda: session_service.end(session_id))
    return sign_out_browser("You are signed out.")


def sign_out_browser(message: str) -> Response:
    """Sign the browser out: delete the cookies of the account and of its cart."""
    flash(message)
    response = see_other(url_for("storefront.home"))
    unset_sign_in_cookie(response)
    cookies.delete_cart_cookie(response)
    return response


def _form(template: str, form: Form) -> AnyResponse:
    target = safe_target(request.values.get("next"), "")
    if current_actor().user_id is not None:
        return see_other(target or url_for("account.overview"))
    return form_page(template, form, next=target)


def _code_form(form: Form) -> AnyResponse:
    """The form of the code; without an open step, the first page of the sign-in again."""
    target = safe_target(request.values.get("next"), "")
    if current_actor().user_id is not None:
        return see_other(target or url_for("account.overview"))
    if not second_step.is_open(cookies.step_token()):
        flash("That sign-in took too long or is over. Sign in again.", "error")
        response = see_other(url_for(".show_login", next=target or None))
        cookies.delete_step_cookie(response)
        return response
    form.values.pop("code", None)
    return form_page("login_code.html", form, next=target)


def _open_session(credentials: dict[str, str]) -> SignIn | SecondFactorRequired:
    device = cookies.device_tokens()
    attempt = auth_service.try_credentials(
        **credentials, client=request.remote_addr, device=device, user_agent=user_agent()
    )
    token = cookies.page_buyer().cart_token
    outcome = in_transaction(lambda: sign_in_with_cart(attempt, session_lifetime(), token))
    if isinstance(outcome, SecondFactorRequired):
        return outcome
    return SignIn(unless_refused(outcome), attempt.mark_device(device))


def _complete_session(body: dict[str, str]) -> SignIn:
    device = cookies.device_tokens()
    attempt = second_step.try_code(
        cookies.step_token(), body["code"], request.remote_addr, device, user_agent()
    )
    token = cookies.page_buyer().cart_token
    outcome = in_transaction(lambda: sign_in_with_cart(attempt, session_lifetime(), token))
    return SignIn(unless_refused(outcome), attempt.mark_device(device))


def _open_account(account: dict[str, str]) -> SignIn:
    password_hash = password_hashing.hash_password(account.pop("password"))
    token = cookies.page_buyer().cart_token

    def work() -> Session:
        session = auth_service.register_and_sign_in(
            session_lifetime(),
            request.remote_addr,
            user_agent(),
            password_hash=password_hash,
            **account,
        )
        if token:
            cart_service.merge_guest_cart(token, session.user_id)
        return session

    session = in_transaction(work)
    device = device_tokens.mark_device(cookies.device_tokens(), session.user_id, 0)
    return SignIn(session, device)


def _answer(
    template: str,
    schema: Schema,
    work: Callable[[dict[str, str]], SignIn | SecondFactorRequired],
    message: str,
) -> AnyResponse:
    """Carry out a form that opens a session; show it again if it is refused. Nobody signs in over a
    session: a form that was open in another tab, or a second click, leads to the account."""
    if current_actor().user_id is not None:
        return _signed_in_already(template)
    form = Form.from_request()
    sign_in = form.carry_out(schema, work)
    if sign_in is None:
        return _form(template, form)
    if isinstance(sign_in, SecondFactorRequired):
        return _ask_for_code(sign_in)
    return _enter(sign_in, message)


def _signed_in_already(template: str) -> AnyResponse:
    flash("You are signed in already. To use another account, sign out first.")
    return _form(template, Form())


def _ask_for_code(step: SecondFactorRequired) -> Response:
    target = safe_target(request.form.get("next"), "")
    response = see_other(url_for(".show_code", next=target or None))
    cookies.set_step_cookie(response, step.token, step.seconds)
    return response


def _enter(sign_in: SignIn, message: str) -> Response:
    """Set the cookies of a new session."""
    flash(message)
    response = see_other(safe_target(request.form.get("next"), url_for("account.overview")))
    if cookies.step_token():
        cookies.delete_step_cookie(response)
    set_sign_in_cookie(response, sign_in.session)
    cookies.set_device_cookie(response, sign_in.device)
    cookies.delete_cart_cookie(response)
    return response

"""Signing in, making an account, signing out."""

from typing import Any

from flask import Response, flash, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.errors import unless_refused
from app.models import Session
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see
from app.pages.csrf import forget_visitor
from app.pages.forms import Form
from app.pages.shell import form_page
from app.schemas.auth import LoginSchema, RegisterSchema
from app.services import (
    auth_service,
    cart_service,
    password_hashing,
    session_service,
    throttle_service,
    user_service,
)
from app.unit_of_work import in_transaction
from app.utils import rate_limits
from app.utils.decorators import login_required
from app.utils.identity import current_actor
from app.utils.redirects import inside
from app.utils.sign_in_cookie import give_sign_in, take_sign_in
from app.utils.tokens import session_lifetime

blp = PageBlueprint("sign_in", __name__)
rate_limits.limit_as_sign_in(blp)
CREDENTIALS = LoginSchema()
NEW_ACCOUNT = RegisterSchema()


@blp.get("/login")
def show_login() -> AnyResponse:
    """The form to sign in with."""
    return _form("login.html", Form())


@blp.post("/login")
@rate_limits.shares_password_budget
def login() -> AnyResponse:
    """Sign in; the guest's cart comes along."""
    form = Form.sent()
    session = form.carry_out(CREDENTIALS, _open_session)
    if session is None:
        return _form("login.html", form)
    return _welcome(session, "You are signed in.")


@blp.get("/register")
def show_register() -> AnyResponse:
    """The form to make an account with."""
    return _form("register.html", Form())


@blp.post("/register")
@rate_limits.shares_password_budget
def register() -> AnyResponse:
    """Make an account, and sign in to it."""
    form = Form.sent()
    session = form.carry_out(NEW_ACCOUNT, _open_account)
    if session is None:
        return _form("register.html", form)
    return _welcome(session, "Welcome! Your account is ready.")


@blp.post("/logout")
@login_required
def logout() -> Response:
    """End this session, here and for whoever else holds its tokens."""
    session_id = current_actor().session_id or 0
    in_transaction(lambda: session_service.end(session_id))
    return farewell("You are signed out.")


def farewell(message: str) -> Response:
    """Let go of everything by which the browser was known."""
    forget_visitor()
    flash(message)
    response = see(url_for("storefront.home"))
    take_sign_in(response)
    cookies.forget_cart(response)
    return response


def _form(template: str, form: Form) -> AnyResponse:
    target = inside(request.values.get("next"), "")
    if current_actor().user_id is not None:
        return see(target or url_for("account.overview"))
    return form_page(template, form, next=target)


def _open_session(credentials: dict[str, Any]) -> Session:
    attempt = auth_service.try_credentials(**credentials, client=request.remote_addr)
    token = cookies.page_buyer().cart_token
    outcome = in_transaction(lambda: auth_service.sign_in(attempt, session_lifetime(), token))
    return unless_refused(outcome)


def _open_account(wishes: dict[str, Any]) -> Session:
    password_hash = password_hashing.hash_password(wishes.pop("password"))
    token = cookies.page_buyer().cart_token

    def work() -> Session:
        user = user_service.add(password_hash=password_hash, **wishes)
        if token:
            cart_service.merge_guest_cart(token, user.id)
        place = throttle_service.place_key(request.remote_addr)
        return session_service.begin(user.id, session_lifetime(), place)

    return in_transaction(work)


def _welcome(session: Session, message: str) -> Response:
    forget_visitor()
    flash(message)
    response = see(inside(request.form.get("next"), url_for("account.overview")))
    give_sign_in(response, session)
    cookies.forget_cart(response)
    return response

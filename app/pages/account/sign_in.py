"""Signing in, making an account, signing out."""

from typing import NamedTuple

from flask import Response, flash, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.db.unit_of_work import in_transaction
from app.errors import unless_refused
from app.models import Session
from app.pages import cookies
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.csrf import reset_csrf_token
from app.pages.forms import Form
from app.pages.shell import form_page
from app.schemas.auth import LoginSchema, RegisterSchema
from app.services import user_service
from app.services.accounts import auth_service, password_hashing, session_service, throttle_service
from app.services.audit import security_log
from app.services.buying import cart_service
from app.services.buying.sign_in import sign_in_with_cart
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor
from app.web.callers.sign_in_cookie import set_sign_in_cookie, unset_sign_in_cookie
from app.web.callers.tokens import session_lifetime
from app.web.limits import rate_limits
from app.web.redirects import safe_target

blp = PageBlueprint("sign_in", __name__)
rate_limits.limit_as_sign_in(blp)
CREDENTIALS = LoginSchema()
NEW_ACCOUNT = RegisterSchema()


class SignIn(NamedTuple):
    """A new session, and the device tokens for the browser to store."""

    session: Session
    device: str


@blp.get("/login")
def show_login() -> AnyResponse:
    """The form to sign in with."""
    return _form("login.html", Form())


@blp.post("/login")
@rate_limits.shares_password_budget
def login() -> AnyResponse:
    """Sign in; the guest's cart is merged into the account's."""
    form = Form.from_request()
    sign_in = form.carry_out(CREDENTIALS, _open_session)
    if sign_in is None:
        return _form("login.html", form)
    return _welcome(sign_in, "You are signed in.")


@blp.get("/register")
def show_register() -> AnyResponse:
    """The form of a new account."""
    return _form("register.html", Form())


@blp.post("/register")
@rate_limits.shares_password_budget
def register() -> AnyResponse:
    """Create an account, and sign in to it."""
    form = Form.from_request()
    sign_in = form.carry_out(NEW_ACCOUNT, _open_account)
    if sign_in is None:
        return _form("register.html", form)
    return _welcome(sign_in, "Welcome! Your account is ready.")


@blp.post("/logout")
@login_required
def logout() -> Response:
    """End this session, also for others who hold its tokens."""
    session_id = current_actor().session_id or 0
    in_transaction(lambda: session_service.end(session_id))
    return farewell("You are signed out.")


def farewell(message: str) -> Response:
    """Let go of everything by which the browser was known."""
    reset_csrf_token()
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


def _open_session(credentials: dict[str, str]) -> SignIn:
    device = cookies.device_tokens()
    attempt = auth_service.try_credentials(**credentials, client=request.remote_addr, device=device)
    token = cookies.page_buyer().cart_token
    outcome = in_transaction(lambda: sign_in_with_cart(attempt, session_lifetime(), token))
    return SignIn(unless_refused(outcome), attempt.mark_device(device))


def _open_account(account: dict[str, str]) -> SignIn:
    password_hash = password_hashing.hash_password(account.pop("password"))
    token = cookies.page_buyer().cart_token

    def work() -> Session:
        user = user_service.add(password_hash=password_hash, **account)
        if token:
            cart_service.merge_guest_cart(token, user.id)
        client = request.remote_addr
        security_log.record(security_log.REGISTERED, user.id, client)
        place = throttle_service.place_key(client)
        return session_service.begin(user.id, session_lifetime(), place)

    session = in_transaction(work)
    device = auth_service.mark_device(cookies.device_tokens(), session.user_id, 0)
    return SignIn(session, device)


def _welcome(sign_in: SignIn, message: str) -> Response:
    reset_csrf_token()
    flash(message)
    response = see_other(safe_target(request.form.get("next"), url_for("account.overview")))
    set_sign_in_cookie(response, sign_in.session)
    cookies.set_device_cookie(response, sign_in.device)
    cookies.delete_cart_cookie(response)
    return response

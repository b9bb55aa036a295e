"""The account's pages: orders, profile, password, and deletion."""

from flask import Response, flash, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.db.paging import MAX_DEPTH, Page
from app.db.unit_of_work import in_transaction
from app.errors import unless_refused
from app.models import Session, User
from app.pages import cookies
from app.pages.account.sign_in import sign_out_browser
from app.pages.blueprint import PageBlueprint, see_other
from app.pages.csrf import reset_browser_id
from app.pages.forms import Form
from app.pages.layout import form_page, page
from app.schemas.paging import PageArgs
from app.schemas.users import ChangePasswordSchema, CloseAccountSchema, ProfileSchema
from app.services import user_service
from app.services.accounts import auth_service, device_tokens, own_sessions, password_hashing
from app.services.operations import store_service
from app.services.orders import order_lists
from app.services.orders.order_lists import OrderQuery
from app.services.orders.order_views import OrderView
from app.utils.decorators import login_required
from app.web.callers.identity import current_actor
from app.web.callers.sessions import user_agent
from app.web.callers.sign_in_cookie import set_sign_in_cookie
from app.web.callers.tokens import session_lifetime
from app.web.limits import rate_limits
from app.web.personal_data import send_copy

blp = PageBlueprint("account", __name__, url_prefix="/account")
PROFILE, PASSWORD, CLOSE = ProfileSchema(), ChangePasswordSchema(), CloseAccountSchema()
PAGE = PageArgs(only=["page"])
LATEST, PER_PAGE = 3, 10


@blp.get("")
@login_required
def overview() -> Response:
    """The account's first page: the user and the latest orders."""
    return page("account.html", user=_me(), orders=_orders(1, LATEST).items)


@blp.get("/orders")
@login_required
def orders() -> Response:
    """The user's orders, newest first."""
    number = 1 if PAGE.validate(request.args) else PAGE.load(request.args)["page"]
    orders = _orders(min(number, MAX_DEPTH // PER_PAGE), PER_PAGE)
    return page("orders.html", orders=orders, page_href=_page_href)


@blp.get("/profile")
@login_required
def show_profile() -> Response:
    """The form of the user's name."""
    user = _me()
    form = Form({"first_name": user.first_name, "last_name": user.last_name})
    return form_page("profile.html", form, user=user)


@blp.post("/profile")
@login_required
def change_profile() -> Response:
    """Change the user's name."""
    actor, form = current_actor(), Form.from_request()
    user = form.carry_out(
        PROFILE, lambda names: in_transaction(lambda: user_service.update_profile(actor, **names))
    )
    if user is None:
        return form_page("profile.html", form, user=_me())
    return _to_overview("Your name is changed.")


@blp.get("/password")
@login_required
def show_password() -> Response:
    """The form of a new password."""
    return form_page("password.html", Form())


@blp.post("/password")
@rate_limits.shares_password_budget
@login_required
def change_password() -> Response:
    """Set a new password; all sessions end, and a new one begins here."""
    form = Form.from_request()
    outcome = form.carry_out(PASSWORD, _change_password)
    if outcome is None:
        return form_page("password.html", form)
    user, session = outcome
    reset_browser_id()
    response = _to_overview("Your password is changed. Everywhere else you are signed out.")
    set_sign_in_cookie(response, session)
    device = cookies.device_tokens()
    cookies.set_device_cookie(
        response, device_tokens.mark_device(device, user.id, user.password_version)
    )
    return response


@blp.post("/sign-out-everywhere")
@login_required
def sign_out_everywhere() -> Response:
    """End all sessions of the account, here and on all other devices."""
    actor = current_actor()
    in_transaction(lambda: own_sessions.sign_out_everywhere(actor))
    return sign_out_browser("You are signed out everywhere.")


@blp.get("/export")
@login_required
def export() -> Response:
    """All that the shop knows of the user, as a file."""
    return send_copy(current_actor())


@blp.get("/close")
@login_required
def show_close() -> Response:
    """The form that deletes the account."""
    return form_page("close.html", Form())


@blp.post("/close")
@rate_limits.shares_password_budget
@login_required
def close() -> AnyResponse:
    """Delete the account."""
    form = Form.from_request()
    user = form.carry_out(CLOSE, _close)
    if user is None:
        return form_page("close.html", form)
    return sign_out_browser("Your account is deleted. Farewell!")


def _me() -> User:
    return user_service.get_user(current_actor().user_id or 0)


def _orders(number: int, per_page: int) -> Page[OrderView]:
    own = OrderQuery(user_id=current_actor().user_id)
    return order_lists.page_of_orders(current_actor(), own, number, per_page)


def _page_href(number: int) -> str:
    return url_for("account.orders", page=number)


def _change_password(passwords: dict[str, str]) -> tuple[User, Session]:
    actor, client, program = current_actor(), request.remote_addr, user_agent()
    store_name = store_service.known_details().name
    auth_service.refuse_weak_password(actor, passwords["new_password"], store_name)
    attempt = auth_service.try_own_password(actor, passwords["current_password"])
    new_hash = password_hashing.hash_password(passwords["new_password"])
    outcome = in_transaction(
        lambda: auth_service.change_password_and_session(
            actor, attempt, new_hash, session_lifetime(), client, program
        )
    )
    return unless_refused(outcome)


def _close(proof: dict[str, str]) -> User:
    actor = current_actor()
    attempt = auth_service.try_own_password(actor, proof["password"])
    return unless_refused(in_transaction(lambda: auth_service.close_account(actor, attempt)))


def _to_overview(message: str) -> Response:
    flash(message)
    return see_other(url_for("account.overview"))

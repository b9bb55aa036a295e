"""Routes for people who come with a link from a mail, or ask for one."""

from flask import Response, request

from app.db.unit_of_work import in_transaction
from app.schemas.auth import ForgotPasswordSchema, ResetPasswordSchema, TokenSchema
from app.services.accounts import auth_service, confirmations, password_hashing, recovery
from app.services.operations import store_service
from app.web.answers import accepted
from app.web.blueprints import ShopBlueprint
from app.web.keyed_requests import refuses_key
from app.web.limits import rate_limits

blp = ShopBlueprint("recovery", __name__, url_prefix="/api/auth", private=True)
rate_limits.limit_as_sign_in(blp)


@blp.post("/password/forgot")
@blp.arguments(ForgotPasswordSchema)
@blp.response(202)
@refuses_key
def forgot_password(body: dict[str, str]) -> Response:
    """Send a link for a new password to the account's address, if it has one.

    The answer and its time are the same whether or not there is an account. An account gets at most five
    links an hour.
    """
    in_transaction(lambda: recovery.request_link(body["email"]))
    return accepted()


@blp.post("/password/reset")
@rate_limits.shares_password_budget
@blp.arguments(ResetPasswordSchema)
@blp.response(204)
@refuses_key
def reset_password(body: dict[str, str]) -> None:
    """Set a new password with the token of a link. All sessions of the account end.

    A token is valid for an hour and counts once; any new password makes it invalid (422 `token_invalid`). A
    second factor is still asked for at the next sign-in.
    """
    token, password, client = body["token"], body["new_password"], request.remote_addr
    user = recovery.find_user(token)
    auth_service.refuse_weak_password_of(user, password, store_service.known_details().name)
    new_hash = password_hashing.hash_password(password)
    in_transaction(lambda: recovery.reset_password(token, new_hash, client))


@blp.post("/email/verify")
@blp.arguments(TokenSchema)
@blp.response(204)
@refuses_key
def verify_email(body: dict[str, str]) -> None:
    """Confirm an address with the token of a link; a new one replaces the account's address.

    A token is valid for a day and counts once (422 `token_invalid`). If another account has the new address
    by now, answers 409 `email_taken`.
    """
    client = request.remote_addr
    in_transaction(lambda: confirmations.confirm(body["token"], client))

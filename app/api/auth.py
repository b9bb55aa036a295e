"""Routes of registration and sign-in."""

from flask import Response, request, url_for

from app.db.unit_of_work import in_transaction
from app.domain.people import emails
from app.errors import unless_refused
from app.schemas.auth import (
    Credentials,
    LoginSchema,
    RegisterSchema,
    Registration,
    SecondStepSchema,
    TokensSchema,
)
from app.schemas.users import UserSchema
from app.services.accounts import auth_service, password_hashing, second_step, session_service
from app.services.buying.sign_in import sign_in_with_cart
from app.services.messages import idempotency
from app.utils.decorators import login_required, refresh_token_required
from app.web.answers import json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.buyers import CART_TOKEN, DEVICE, DEVICE_RESPONSE_HEADER, DEVICE_TOKEN, header
from app.web.callers.identity import current_claims
from app.web.callers.sessions import user_agent
from app.web.callers.tokens import TokenPair, session_lifetime, token_pair
from app.web.keyed_requests import once, refuses_key, takes_key
from app.web.limits import rate_limits
from app.web.preconditions import without_etag

blp = ShopBlueprint("auth", __name__, url_prefix="/api/auth", private=True)
rate_limits.limit_as_sign_in(blp)
USER = UserSchema()
GUEST_CART = header(CART_TOKEN, "A guest's cart, to be merged into the customer's.")


@blp.post("/register")
@rate_limits.shares_password_budget
@blp.arguments(RegisterSchema)
@blp.response(201, USER)
@takes_key
def register(account: Registration) -> Response:
    """Create an account. Emails are compared without regard to case.

    Answers 503 `busy` while too many passwords are being hashed, like every operation that hashes one.
    """
    lifetime, client = session_lifetime(), request.remote_addr
    names = account.get("first_name", ""), account.get("last_name", "")
    password_hash = password_hashing.hash_password(account["password"])

    def add() -> Response:
        user = auth_service.register(lifetime, client, account["email"], password_hash, *names)
        return json_response(USER.dump(user), 201, {"Location": url_for("users.get_me")})

    scope = idempotency.scopes_of_email(emails.key(account["email"]))[0]
    return once(without_etag(add, creates=True), scope, holds_password=True)


@blp.post("/login", parameters=[GUEST_CART, DEVICE])
@rate_limits.shares_password_budget
@blp.arguments(LoginSchema)
@blp.response(200, TokensSchema, headers=DEVICE_RESPONSE_HEADER)
@refuses_key
def login(credentials: Credentials) -> tuple[TokenPair, dict[str, str]]:
    """Sign in. After five wrong passwords in a row the account is locked, each time for longer (429).

    Answers 503 `busy` while too many passwords are being hashed: try again after Retry-After. Where the
    account has a second factor, answers 401 `mfa_required` with an `mfa_token` for `/api/auth/mfa`.
    """
    device = request.headers.get(DEVICE_TOKEN, "")
    attempt = auth_service.try_credentials(
        **credentials, client=request.remote_addr, device=device, user_agent=user_agent()
    )
    cart_token = request.headers.get(CART_TOKEN)
    outcome = in_transaction(lambda: sign_in_with_cart(attempt, session_lifetime(), cart_token))
    return token_pair(unless_refused(outcome)), {DEVICE_TOKEN: attempt.mark_device(device)}


@blp.post("/mfa", parameters=[GUEST_CART, DEVICE])
@blp.arguments(SecondStepSchema)
@blp.response(200, TokensSchema, headers=DEVICE_RESPONSE_HEADER)
@refuses_key
def complete_sign_in(step: dict[str, str]) -> tuple[TokenPair, dict[str, str]]:
    """Complete a sign-in that was answered `mfa_required`, with a code or a recovery code.

    Each code counts once. Wrong codes lock the account for a growing time, like wrong passwords (429).
    """
    device = request.headers.get(DEVICE_TOKEN, "")
    attempt = second_step.try_code(
        step["mfa_token"], step["code"], request.remote_addr, device, user_agent()
    )
    cart_token = request.headers.get(CART_TOKEN)
    outcome = in_transaction(lambda: sign_in_with_cart(attempt, session_lifetime(), cart_token))
    return token_pair(unless_refused(outcome)), {DEVICE_TOKEN: attempt.mark_device(device)}


@blp.post("/refresh")
@refresh_token_required
@blp.response(200, TokensSchema)
@refuses_key
def refresh() -> TokenPair:
    """Exchange the refresh token, sent as Bearer, for a new pair. Using it twice ends the session."""
    claims = current_claims()
    outcome = in_transaction(
        lambda: auth_service.refresh(claims["sid"], claims["gen"], session_lifetime())
    )
    return token_pair(unless_refused(outcome))


@blp.post("/logout")
@login_required
@blp.response(204)
@refuses_key
def logout() -> None:
    """End this session. Its access and refresh tokens are refused from now on."""
    session_id = current_claims()["sid"]
    in_transaction(lambda: session_service.end(session_id))

"""Routes of accounts: one's own, its address book, and those that staff see and change."""

from typing import Any

from flask import Response, request, url_for

from app.db.unit_of_work import in_transaction
from app.errors import unless_refused
from app.models import Address, User
from app.schemas.auth import ChangeEmailSchema
from app.schemas.paging import CursorArgs, list_schema
from app.schemas.users import (
    AddressSchema,
    ChangePasswordSchema,
    CloseAccountSchema,
    PersonalDataSchema,
    ProfileSchema,
    SessionSchema,
    StaffChanges,
    StaffChangesSchema,
    UserListArgs,
    UserSchema,
)
from app.services import user_service
from app.services.accounts import (
    address_service,
    auth_service,
    confirmations,
    device_tokens,
    own_sessions,
    password_hashing,
    session_service,
)
from app.services.operations import store_service
from app.utils.decorators import admin_required, login_required
from app.web.answers import accepted, json_response
from app.web.blueprints import ShopBlueprint
from app.web.callers.buyers import DEVICE, DEVICE_RESPONSE_HEADER, DEVICE_TOKEN
from app.web.callers.identity import current_actor
from app.web.keyed_requests import once, refuses_key, takes_key
from app.web.limits import rate_limits
from app.web.pagination import list_body, read_part
from app.web.personal_data import send_copy
from app.web.preconditions import without_etag

blp = ShopBlueprint("users", __name__, url_prefix="/api/users", private=True)
ADDRESS_BODY = AddressSchema()
USER = "/<int:user_id>"
ADDRESS = "/me/addresses/<int:address_id>"
BodyAndHeaders = tuple[dict[str, object], dict[str, str]]


@blp.get("/me")
@login_required
@blp.response(200, UserSchema)
def get_me() -> User:
    """The caller's own account."""
    return user_service.get_user(current_actor().user_id or 0)


@blp.route("/me", methods=["PATCH", "PUT"])
@login_required
@blp.arguments(ProfileSchema)
@blp.response(200, UserSchema)
def change_me(changes: dict[str, str]) -> User:
    """Change the fields that are sent."""
    return in_transaction(
        without_etag(lambda: user_service.update_profile(current_actor(), **changes))
    )


@blp.delete("/me")
@rate_limits.shares_password_budget
@login_required
@blp.arguments(CloseAccountSchema)
@blp.response(204)
def close_account(proof: dict[str, str]) -> None:
    """Delete the account. All personal data is erased, also in orders; the orders stay."""
    actor = current_actor()
    attempt = auth_service.try_own_password(actor, proof["password"])
    unless_refused(in_transaction(without_etag(lambda: auth_service.close_account(actor, attempt))))


@blp.post("/me/password", parameters=[DEVICE])
@rate_limits.shares_password_budget
@login_required
@blp.arguments(ChangePasswordSchema)
@blp.response(204, headers=DEVICE_RESPONSE_HEADER)
@refuses_key
def change_password(passwords: dict[str, str]) -> tuple[None, dict[str, str]]:
    """Set a new password. All other sessions end, and earlier device tokens become invalid."""
    actor = current_actor()
    store_name = store_service.known_details().name
    auth_service.refuse_weak_password(actor, passwords["new_password"], store_name)
    attempt = auth_service.try_own_password(actor, passwords["current_password"])
    new_hash = password_hashing.hash_password(passwords["new_password"])
    outcome = in_transaction(lambda: auth_service.change_password(actor, attempt, new_hash))
    user = unless_refused(outcome)
    device = request.headers.get(DEVICE_TOKEN, "")
    tokens = device_tokens.mark_device(device, user.id, user.password_version)
    return None, {DEVICE_TOKEN: tokens}


@blp.post("/me/email")
@rate_limits.shares_password_budget
@login_required
@blp.arguments(ChangeEmailSchema)
@blp.response(202)
@refuses_key
def change_email(body: dict[str, str]) -> Response:
    """Send a link to a new address. It replaces the present one once the link is followed.

    The old address is told. The present address, sent as the new one, gets another link to confirm it. Five
    links a day are sent (429 `too_many_mails`).
    """
    actor = current_actor()
    attempt = auth_service.try_own_password(actor, body["password"])
    address = body["new_email"]
    unless_refused(
        in_transaction(without_etag(lambda: confirmations.request_change(actor, attempt, address)))
    )
    return accepted()


@blp.delete("/me/sessions")
@login_required
@blp.response(204)
def sign_out_everywhere() -> None:
    """End all sessions of the caller, including this one."""
    actor = current_actor()
    in_transaction(without_etag(lambda: own_sessions.sign_out_everywhere(actor)))


@blp.get("/me/export")
@login_required
@blp.response(200, PersonalDataSchema)
def export_personal_data() -> Response:
    """All that the shop knows of the caller, as a file."""
    return send_copy(current_actor())


@blp.get("/me/sessions")
@login_required
@blp.arguments(CursorArgs, location="query")
@blp.response(200, list_schema(SessionSchema))
def list_sessions(args: dict[str, Any]) -> BodyAndHeaders:
    """The caller's sessions, newest first. `last_used_at` is exact to 15 minutes."""
    part = read_part(
        {"actor": current_actor(), **args},
        session_service.list_sessions,
        session_service.slice_of_sessions,
    )
    return list_body(part, list(part.items))


@blp.delete("/me/sessions/<int:session_id>")
@login_required
@blp.response(204)
def end_session(session_id: int) -> None:
    """End one session of the caller. Its access and refresh tokens are refused from now on."""
    actor = current_actor()
    in_transaction(without_etag(lambda: own_sessions.end_session(actor, session_id)))


@blp.get("/me/addresses")
@login_required
@blp.arguments(CursorArgs, location="query")
@blp.response(200, list_schema(AddressSchema))
def list_addresses(args: dict[str, Any]) -> BodyAndHeaders:
    """The caller's address book, oldest entry first."""
    part = read_part(
        {"actor": current_actor(), **args},
        address_service.list_addresses,
        address_service.slice_of_addresses,
    )
    return list_body(part, list(part.items))


@blp.post("/me/addresses")
@login_required
@blp.arguments(ADDRESS_BODY)
@blp.response(201, ADDRESS_BODY)
@takes_key
def add_address(fields: dict[str, str]) -> Response:
    """Add an address to the address book."""
    actor = current_actor()

    def add() -> Response:
        address = address_service.add_address(actor, **fields)
        location = url_for("users.get_address", address_id=address.id)
        return json_response(ADDRESS_BODY.dump(address), 201, {"Location": location})

    return once(without_etag(add, creates=True))


@blp.get(ADDRESS)
@login_required
@blp.response(200, AddressSchema)
def get_address(address_id: int) -> Address:
    """One address of the caller's address book."""
    return address_service.get_address(current_actor(), address_id)


@blp.route(ADDRESS, methods=["PATCH", "PUT"])
@login_required
@blp.arguments(AddressSchema(partial=True))
@blp.response(200, AddressSchema)
def change_address(changes: dict[str, str], address_id: int) -> Address:
    """Change the fields that are sent. Orders keep their own copy of the address."""
    actor = current_actor()
    return in_transaction(
        without_etag(lambda: address_service.update_address(actor, address_id, **changes))
    )


@blp.delete(ADDRESS)
@login_required
@blp.response(204)
def remove_address(address_id: int) -> None:
    """Delete an address from the address book."""
    in_transaction(
        without_etag(lambda: address_service.remove_address(current_actor(), address_id))
    )


@blp.get("")
@admin_required
@blp.arguments(UserListArgs, location="query")
@blp.response(200, list_schema(UserSchema))
def list_users(args: dict[str, Any]) -> BodyAndHeaders:
    """All accounts, newest first."""
    part = read_part(args, user_service.list_users, user_service.slice_of_users)
    return list_body(part, list(part.items))


@blp.get(USER)
@admin_required
@blp.response(200, UserSchema)
def get_user(user_id: int) -> User:
    """One account."""
    return user_service.get_user(user_id)


@blp.route(USER, methods=["PATCH", "PUT"])
@admin_required
@blp.arguments(StaffChangesSchema)
@blp.response(200, UserSchema)
def change_user(changes: StaffChanges, user_id: int) -> User:
    """Change `role` or `is_active`. The account's sessions end at once."""
    return in_transaction(
        without_etag(lambda: user_service.update_user(current_actor(), user_id, **changes))
    )


@blp.post(f"{USER}/release")
@admin_required
@blp.response(204)
@takes_key
def release_address(user_id: int) -> Response:
    """Free an email address: delete the customer's account that holds it and has no orders.

    Check first that the owner of the address asks for it. Answers 409 `account_in_use` if the account
    has orders.
    """
    actor = current_actor()

    def release() -> Response:
        user_service.release_address(actor, user_id)
        return json_response(None, 204)

    return once(without_etag(release))

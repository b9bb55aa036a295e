"""Buyers over HTTP: the headers of guests and devices."""

from flask import current_app, request

from app.domain.people import devices
from app.domain.people.buyer import Buyer
from app.services.orders.guest_limits import GuestOrigin
from app.web.callers.identity import current_actor

CART_TOKEN = "X-Cart-Token"  # noqa: S105 - a header's name
ORDER_TOKEN = "X-Order-Token"  # noqa: S105
DEVICE_TOKEN = "X-Device-Token"  # noqa: S105
IDEMPOTENCY_KEY = "Idempotency-Key"
# The names that the API's docs give the headers of guests; a caller with an account needs none.
GUEST_TOKENS = {"cart_token": CART_TOKEN, "order_token": ORDER_TOKEN}


def current_buyer() -> Buyer:
    """The owner of the cart of this request: the caller's account, or else the guest of the token."""
    return Buyer(current_actor(), request.headers.get(CART_TOKEN) or None)


def guest_origin() -> GuestOrigin:
    """The client's address, and the limits on guests by the settings."""
    return GuestOrigin(request.remote_addr, current_app.config["GUEST_LIMITS"])


def current_order_token() -> str | None:
    """The token of a guest's order, None if the request has none."""
    return request.headers.get(ORDER_TOKEN) or None


def header(
    name: str, description: str, max_length: int | None = None, pattern: str | None = None
) -> dict[str, object]:
    """The OpenAPI description of a request header."""
    schema: dict[str, object] = {"type": "string"}
    if max_length:
        schema["maxLength"] = max_length
    if pattern:
        schema["pattern"] = pattern
    return {
        "in": "header",
        "name": name,
        "required": False,
        "description": description,
        "schema": schema,
    }


DEVICE = header(
    DEVICE_TOKEN,
    "What an earlier sign-in on this device answered: other people's failures do not lock it out.",
    devices.MAX_LENGTH,
)
DEVICE_RESPONSE_HEADER = {
    DEVICE_TOKEN: {
        "description": "Marks this device for the account. Keep it, and send it with the next sign-in.",
        "schema": {"type": "string", "maxLength": devices.MAX_LENGTH},
    }
}

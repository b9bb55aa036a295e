"""The cookies of a visitor: the tokens of a guest's cart, of guests' orders and of an unfinished sign-in,
and the tokens that mark a browser as a device of an account."""

from flask import Response, current_app, request

from app.domain.people.buyer import Buyer
from app.services.buying.cart_service import GUEST_CART_LIFETIME
from app.services.order_service import Visitor
from app.web.callers.identity import current_actor

CART = "cart"
ORDER = "order"
DEVICE = "device"
STEP = "sign_in_step"
DEVICE_DAYS = 365
STEP_PATH = "/login"


def page_buyer() -> Buyer:
    """The owner of the cart in this request: the account, or the holder of the cart cookie."""
    return Buyer(current_actor(), request.cookies.get(_name(CART)) or None)


def page_visitor() -> Visitor:
    """Who asks for an order: the account, or the holder of the cookie of that order."""
    return Visitor(current_actor(), request.cookies.get(_name(ORDER)) or None)


def set_cart_cookie(response: Response, buyer: Buyer) -> None:
    """Store a guest's cart token for as long as the shop stores the cart."""
    if buyer.guest_token and buyer.guest_token != request.cookies.get(_name(CART)):
        _set_cookie(response, _name(CART), buyer.guest_token, "/", GUEST_CART_LIFETIME.days)


def delete_cart_cookie(response: Response) -> None:
    """Delete a cart token that is invalid or belongs to the previous visitor."""
    name = _name(CART)
    if name in request.cookies:
        response.delete_cookie(name, path="/", httponly=True, samesite="Lax", secure=_secure())


def set_order_cookie(response: Response, number: str, token: str) -> None:
    """Store an order's token. The browser sends it to the path of this order only."""
    _set_cookie(response, _name(ORDER), token, f"/orders/{number}", days=90)


def device_tokens() -> str:
    """The tokens of the accounts that have signed in with this browser."""
    return request.cookies.get(_name(DEVICE), "")


def set_device_cookie(response: Response, tokens: str) -> None:
    """Store the device tokens. Signing out does not delete them."""
    _set_cookie(response, _name(DEVICE), tokens, "/", DEVICE_DAYS)


def set_step_cookie(response: Response, token: str, seconds: int) -> None:
    """Store the token of a sign-in whose code is missing yet. The browser sends it to `/login` only."""
    response.set_cookie(
        _name(STEP), token, max_age=seconds, path=STEP_PATH,
        httponly=True, samesite="Lax", secure=_secure(),
    )  # fmt: skip


def step_token() -> str:
    """The token of a sign-in whose code is missing yet; empty without one."""
    return request.cookies.get(_name(STEP), "")


def delete_step_cookie(response: Response) -> None:
    """Delete the token of a sign-in that is complete or took too long."""
    response.delete_cookie(
        _name(STEP), path=STEP_PATH, httponly=True, samesite="Lax", secure=_secure()
    )


def _set_cookie(response: Response, name: str, value: str, path: str, days: int) -> None:
    response.set_cookie(
        name, value, max_age=days * 24 * 3600, path=path,
        httponly=True, samesite="Lax", secure=_secure(),
    )  # fmt: skip


def _name(cookie: str) -> str:
    # `__Host-` requires Path=/, and these cookies are for one path.
    prefix = "__Secure-" if cookie in (ORDER, STEP) else "__Host-"
    return prefix + cookie if _secure() else cookie


def _secure() -> bool:
    secure: bool = current_app.config["SESSION_COOKIE_SECURE"]
    return secure

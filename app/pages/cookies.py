"""What a visitor's browser keeps: the token of a guest's cart, those of guests' orders, and those
that mark it as a device of an account."""

from flask import Response, current_app, request

from app.domain.people.buyer import Buyer
from app.services.buying.cart_service import GUEST_CARTS_KEPT
from app.services.order_service import Visitor
from app.web.callers.identity import current_actor

CART = "cart"
ORDER = "order"
DEVICE = "device"
DEVICE_DAYS = 365


def page_buyer() -> Buyer:
    """Whose cart this visit is about: the account's, or else the cookie's."""
    return Buyer(current_actor(), request.cookies.get(_cart_name()) or None)


def page_visitor() -> Visitor:
    """Who asks for an order: the account, or the holder of the cookie for that order's address."""
    return Visitor(current_actor(), request.cookies.get(_order_name()) or None)


def keep_cart(response: Response, buyer: Buyer) -> None:
    """Have the browser keep a guest's cart token for as long as the shop keeps the cart."""
    if buyer.guest_token and buyer.guest_token != request.cookies.get(_cart_name()):
        _keep(response, _cart_name(), buyer.guest_token, "/", GUEST_CARTS_KEPT.days)


def forget_cart(response: Response) -> None:
    """The token is dead, or was another person's."""
    name = _cart_name()
    if name in request.cookies:
        response.delete_cookie(name, path="/", httponly=True, samesite="Lax", secure=_secure())


def keep_order(response: Response, number: str, token: str) -> None:
    """Have the browser show this order's secret at this order's address, and nowhere else."""
    _keep(response, _order_name(), token, f"/orders/{number}", days=90)


def device_tokens() -> str:
    """The tokens of the accounts that were signed in to with this browser."""
    return request.cookies.get(_device_name(), "")


def keep_device(response: Response, tokens: str) -> None:
    """Have the browser keep the tokens of its accounts. They stay when people sign out."""
    _keep(response, _device_name(), tokens, "/", DEVICE_DAYS)


def _keep(response: Response, name: str, value: str, path: str, days: int) -> None:
    response.set_cookie(
        name,
        value,
        max_age=days * 24 * 3600,
        path=path,
        httponly=True,
        samesite="Lax",
        secure=_secure(),
    )


def _cart_name() -> str:
    return f"__Host-{CART}" if _secure() else CART


def _device_name() -> str:
    return f"__Host-{DEVICE}" if _secure() else DEVICE


def _order_name() -> str:
    # Of one address alone, which the prefix __Host- does not allow.
    return f"__Secure-{ORDER}" if _secure() else ORDER


def _secure() -> bool:
    secure: bool = current_app.config["SESSION_COOKIE_SECURE"]
    return secure

"""Writing operations: guests and customers who fill carts, buy and sign in."""

from collections.abc import Generator, Sequence
from random import Random
from typing import Any, NamedTuple

from tests.performance.http import expect, insist, request
from tests.performance.load import Answer, Operation

Steps = Generator[bytes, Answer, None]
ADDRESS = {
    "name": "Ada Guest", "line1": "1 Long Lane", "city": "London", "postal_code": "N1 1AA",
    "country": "GB",
}  # fmt: skip
LINES = 3
"""Carts have one to so many of them."""


class Doors(NamedTuple):
    """Where the shop, or its twin, takes items and orders."""

    items: str
    orders: str


SHOP = Doors("/api/cart/items", "/api/orders")
TWIN = Doors("/cart/items", "/orders")


class Customer(NamedTuple):
    """Somebody who is signed in, and always takes the same few articles."""

    token: str
    variants: Sequence[int]


def add_to_cart(variants: Sequence[int], customers: Sequence[Customer], dice: Random) -> Operation:
    """One more item: of three times two in guests' carts, which grow to three lines, and one in a
    customer's, which has three from the start."""
    carts: list[tuple[str, list[int]]] = []

    def guest() -> Steps:
        token, inside = carts.pop() if carts else ("", [])
        variant = dice.choice([id_ for id_ in dice.sample(variants, LINES) if id_ not in inside])
        answer = yield _add(SHOP, variant, {"X-Cart-Token": token} if token else {})
        inside = [*inside, variant]
        _check_cart(expect(answer, 201), inside)
        if len(inside) < LINES:
            carts.insert(0, (token or answer.header("X-Cart-Token"), inside))

    def customer() -> Steps:
        who = dice.choice(customers)
        variant = dice.choice(who.variants)
        answer = yield _add(SHOP, variant, {"Authorization": f"Bearer {who.token}"})
        _check_cart(expect(answer, 201), who.variants)

    return lambda: customer() if dice.random() < 1 / 3 else guest()


def purchase(
    variants: Sequence[int], dice: Random, doors: Doors = SHOP, lines: int = 2
) -> Operation:
    """A guest's whole way: the first item opens a cart, then the others, then the order."""

    def steps() -> Steps:
        chosen, headers = dice.sample(variants, lines), {}
        for place, variant in enumerate(chosen, 1):
            answer = yield _add(doors, variant, headers)
            _check_cart(expect(answer, 201), chosen[:place])
            headers = headers or {"X-Cart-Token": answer.header("X-Cart-Token")}
        body = {"email": "ada@example.com", "shipping_address": ADDRESS}
        answer = yield request("POST", doors.orders, body, headers)
        _check_order(expect(answer, 201), chosen)

    return steps


def login(people: Sequence[tuple[str, str]], dice: Random) -> Operation:
    """Sign in with one of these emails and passwords."""
    requests = [
        request("POST", "/api/auth/login", {"email": email, "password": password})
        for email, password in people
    ]

    def steps() -> Steps:
        answer = yield dice.choice(requests)
        insist(expect(answer, 200)["token_type"] == "Bearer", "no tokens")

    return steps


def check_password(rounds: int, password: bytes) -> Operation:
    """The bare comparison of a hash, as a view."""
    asked = request("POST", f"/password/{rounds}", {"password": password.decode()})

    def steps() -> Steps:
        answer = yield asked
        insist(expect(answer, 200) == {"fits": True}, "the password does not fit")

    return steps


def _add(doors: Doors, variant: int, headers: dict[str, str]) -> bytes:
    return request("POST", doors.items, {"variant_id": variant}, headers)


def _check_cart(view: Any, variants: Sequence[int]) -> None:
    inside = [item["variant_id"] for item in view["items"]]
    insist(sorted(inside) == sorted(variants), f"in the cart {inside} instead of {variants}")
    insist(_cents(view["subtotal"]) == _sum(view["items"]), f"a wrong subtotal: {view}")


def _check_order(view: Any, variants: Sequence[int]) -> None:
    ordered = [item["variant_id"] for item in view["items"]]
    insist(sorted(ordered) == sorted(variants), f"ordered {ordered} instead of {variants}")
    insist(view["status"] == "pending", f"a new order that is {view['status']}")
    insist(_cents(view["total"]) == _sum(view["items"]), f"a wrong total: {view}")


def _sum(items: list[dict[str, Any]]) -> int:
    return sum(_cents(item["unit_price"]) * item["quantity"] for item in items)


def _cents(money: str) -> int:
    return int(money.replace(".", ""))

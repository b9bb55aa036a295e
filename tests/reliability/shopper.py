"""Shoppers: people with an account, or guests, and all that they can do in the shop."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.reliability.client import PATIENCE, WAY_HOME, Person
from tests.reliability.history import Attempt

PER_PAGE = 100


@dataclass(frozen=True)
class Purchase:
    """What one order is asked with, the same each time that it is sent."""

    key: str
    body: dict[str, Any]
    cart_token: str | None
    """A guest's, whose keys are a matter of this token even after they have signed in."""


class Shopper(Person):
    """Somebody who fills a cart and orders.

    Attributes:
        numbers: of the orders that were acknowledged, the oldest first.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.numbers: list[str] = []
        self._order_tokens: dict[str, str] = {}

    def read_product(self, product_id: int, variant_id: int) -> Attempt:
        """Look at an article."""
        about = {"variant_id": variant_id}
        return self.send("read_product", "GET", f"/api/products/{product_id}", about=about)

    def read_cart(self) -> Attempt:
        """Look into the cart, until it is seen."""
        return self.insist(lambda: self.send("read_cart", "GET", "/api/cart"))

    def add_item(self, variant_id: int, quantity: int) -> Attempt:
        """Put units of a variant into the cart."""
        wish = {"variant_id": variant_id, "quantity": quantity}
        return self.send("add_item", "POST", "/api/cart/items", wish, about=wish)

    def change_item(self, item: dict[str, Any], quantity: int) -> Attempt:
        """Set the quantity of a line that was seen in the cart."""
        about = {"variant_id": item["variant_id"], "quantity": quantity}
        path = f"/api/cart/items/{item['id']}"
        return self.send("change_item", "PATCH", path, {"quantity": quantity}, about=about)

    def remove_item(self, item: dict[str, Any]) -> Attempt:
        """Take a line out of the cart."""
        about = {"variant_id": item["variant_id"], "quantity": 0}
        return self.send("remove_item", "DELETE", f"/api/cart/items/{item['id']}", about=about)

    def empty_cart(self) -> Attempt:
        """Take everything out of the cart."""
        return self.send("empty_cart", "DELETE", "/api/cart")

    def sure(self, edit: Callable[[], Attempt]) -> Attempt:
        """An edit of the cart, and a look at what is in it where the answer was lost.

        An edit is not sent again: what is added twice is there twice.
        """
        attempt = edit()
        if attempt.outcome == "unknown":
            time.sleep(WAY_HOME)
            self.read_cart()
        return attempt

    def purchase(self, **wishes: Any) -> Purchase:
        """A new order to be asked for, under a key of its own, which is its note too."""
        key = uuid.UUID(int=self.rng.getrandbits(128)).hex
        body: dict[str, Any] = {"note": key, **wishes}
        if self.is_guest:
            body["email"] = self.email
        return Purchase(key, body, self.cart_token if self.is_guest else None)

    def place_order(self, purchase: Purchase, patience: float = PATIENCE) -> Attempt:
        """Ask for an order once, be it for the first time or again."""
        token = purchase.cart_token
        attempt = self.send(
            "place_order", "POST", "/api/orders", purchase.body, key=purchase.key,
            headers={"X-Cart-Token": token} if token else None,
            patience=patience, about={"guest": token is not None},
        )  # fmt: skip
        if attempt.outcome == "ok":
            self._remember(attempt.answer)
        return attempt

    def cancel(self, number: str) -> Attempt:
        """Cancel an order once."""
        about = {"number": number}
        headers = self._opens(number)
        path = f"/api/orders/{number}/cancel"
        return self.send("cancel", "POST", path, headers=headers, about=about)

    def read_order(self, number: str) -> Attempt:
        """Look at one order, until it is seen."""
        about, headers = {"number": number}, self._opens(number)
        path = f"/api/orders/{number}"
        return self.insist(
            lambda: self.send("read_order", "GET", path, headers=headers, about=about)
        )

    def list_orders(self, page: int = 1) -> Attempt:
        """Look at the newest orders, until they are seen."""
        about = {"page": page, "per_page": PER_PAGE}
        path = f"/api/orders?page={page}&per_page={PER_PAGE}"
        return self.insist(lambda: self.send("list_orders", "GET", path, about=about))

    def _remember(self, order: dict[str, Any]) -> None:
        if order["number"] not in self.numbers:
            self.numbers.append(order["number"])
        if "guest_token" in order:
            self._order_tokens[order["number"]] = order["guest_token"]

    def _opens(self, number: str) -> dict[str, str] | None:
        """The headers that open an order: a guest's secret, or None for the account's."""
        token = self._order_tokens.get(number)
        return {"X-Order-Token": token} if token else None

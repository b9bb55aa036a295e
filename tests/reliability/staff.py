"""Staff: people who change prices, adjust stock and move orders along."""

import uuid
from typing import Any

from tests.reliability.client import Person
from tests.reliability.history import Attempt


class Staff(Person):
    """Somebody with an admin's account."""

    def change_price(self, product_id: int, variant_id: int, price: int, places: int) -> Attempt:
        """Set the price of a simple product, in minor units; twice is the same as once."""
        body = {"price": f"{price / 10**places:.{places}f}"}
        about = {"variant_id": variant_id, "price": price}
        path = f"/api/products/{product_id}"
        return self.insist(lambda: self.send("change_price", "PATCH", path, body, about=about))

    def adjust_stock(self, product_id: int, variant_id: int, delta: int) -> Attempt:
        """Add to what is on hand, once: whether it was done, the ledger tells by the reason."""
        reason = f"count {uuid.UUID(int=self.rng.getrandbits(128)).hex}"
        about = {"variant_id": variant_id, "delta": delta}
        body = {**about, "reason": reason}
        path = f"/api/products/{product_id}/stock"
        return self.send("adjust_stock", "POST", path, body, about=about)

    def read_stock(self, product_id: int, variant_id: int) -> Attempt:
        """Look into the ledger of an article."""
        path = f"/api/products/{product_id}/stock"
        return self.send("read_stock", "GET", path, about={"variant_id": variant_id})

    def set_status(self, number: str, status: str) -> Attempt:
        """Move an order along. A second try is refused where the first one was carried out."""
        body: dict[str, Any] = {"status": status}
        path = f"/api/orders/{number}/status"
        about = {"number": number}
        return self.insist(lambda: self.send("set_status", "PATCH", path, body, about=about))

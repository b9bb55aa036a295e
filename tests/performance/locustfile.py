"""Shoppers for Locust: most look around, some fill a cart, a few order.

    locust -f tests/performance/locustfile.py --headless -u 50 -r 10 -t 1m -H http://localhost:5000

The server needs RATELIMIT_ENABLED=false, since all shoppers come from one address.
"""

import random
import uuid
from typing import Any

from locust import HttpUser, between, task

WORDS = ("lamp", "mug", "shirt", "bag", "tea", "wool", "oak", "blue")
ORDERS = ("name", "-name", "price", "-price", "created_at", "-created_at")


class Shopper(HttpUser):
    """A guest with a cart of their own."""

    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        """Arrive without a cart."""
        self.cart: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []

    @task(10)
    def browse(self) -> None:
        """Look at a page of the catalogue."""
        params = {"page": random.randint(1, 3), "sort": random.choice(ORDERS), "in_stock": "true"}
        self._remember(self.client.get("/api/products", params=params, name="/api/products"))

    @task(4)
    def search(self) -> None:
        """Look for something."""
        params = {"q": random.choice(WORDS)}
        self._remember(self.client.get("/api/products", params=params, name="/api/products?q="))

    @task(8)
    def look_closer(self) -> None:
        """Open a product."""
        if self.seen:
            slug = random.choice(self.seen)["slug"]
            self.client.get(f"/api/products/{slug}", name="/api/products/<product>")

    @task(3)
    def put_in_cart(self) -> None:
        """Take one of something that is in stock."""
        variants = [v for product in self.seen for v in product["variants"] if v["in_stock"]]
        if not variants:
            return
        body = {"variant_id": random.choice(variants)["id"]}
        with self.client.post(
            "/api/cart/items", json=body, headers=self.cart, catch_response=True
        ) as response:
            if response.status_code == 409:  # sold out meanwhile: an honest answer
                response.success()
            if "X-Cart-Token" in response.headers:
                self.cart = {"X-Cart-Token": response.headers["X-Cart-Token"]}

    @task(1)
    def order(self) -> None:
        """Order what is in the cart."""
        if not self.cart:
            return
        headers = {**self.cart, "Idempotency-Key": uuid.uuid4().hex}
        with self.client.post(
            "/api/orders",
            json={"email": "shopper@example.com"},
            headers=headers,
            catch_response=True,
        ) as response:
            if response.status_code in (409, 422):  # sold out meanwhile, or nothing in the cart
                response.success()

    def _remember(self, response: Any) -> None:
        if response.ok:
            self.seen = response.json()["items"] or self.seen

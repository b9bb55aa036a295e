"""Shoppers for Locust, as shops have them: most only look around, few buy.

    locust -f tests/performance/locustfile.py --headless -u 50 -r 10 -t 1m -H http://localhost:5000

The server needs RATELIMIT_ENABLED=false, since all shoppers come from one address. Anything but what
an honest shop may say counts as a failure: sold out is no failure, a wrong total is one.
"""

import random
import uuid
from typing import Any
from urllib.parse import urlsplit

from locust import HttpUser, between, task

WORDS = ("lamp", "mug", "shirt", "bag", "tea", "wool", "oak", "blue", "oak ch", "linen sh")
SORTS = ("name", "price", "-price", "-created_at")
ADDRESS = {
    "name": "Ada Guest", "line1": "1 Long Lane", "city": "London", "postal_code": "N1 1AA",
    "country": "GB",
}  # fmt: skip
PASSWORD = "correct horse battery"


class Shopper(HttpUser):
    """What all shoppers can do. They look at what they were shown, and think between two clicks."""

    abstract = True
    wait_time = between(0.5, 2)

    def on_start(self) -> None:
        """Arrive, with nothing in hand."""
        self.sent: dict[str, str] = {}
        self.seen: list[dict[str, Any]] = []
        self.link = ""

    def look_around(self) -> None:
        """Open a list: in an order, of a category, or further on in the one that was shown."""
        if self.link and random.random() < 0.3:
            path = self.link
        else:
            params = {"sort": random.choice(SORTS), "in_stock": "true"}
            path = "/api/products?" + "&".join(f"{key}={value}" for key, value in params.items())
        self._see(path, "/api/products")

    def search(self) -> None:
        """Look for something, as it is typed."""
        self._see(f"/api/products?q={random.choice(WORDS)}", "/api/products?q=")

    def look_closer(self) -> None:
        """Open a product that was shown; now and then the one that was looked at before, which the
        browser has already."""
        if not self.seen:
            return
        path = f"/api/products/{random.choice(self.seen)['slug']}"
        answer = self.client.get(path, name="/api/products/<product>")
        if answer.ok and random.random() < 0.2:
            known = {"If-None-Match": answer.headers["ETag"]}
            self.client.get(path, headers=known, name="/api/products/<product>, again")

    def put_in_cart(self) -> bool:
        """Take one or two of something that was in stock when it was shown."""
        variants = [v["id"] for product in self.seen for v in product["variants"] if v["in_stock"]]
        if not variants:
            return False
        body = {"variant_id": random.choice(variants), "quantity": random.choice((1, 1, 1, 2))}
        with self.client.post(
            "/api/cart/items", json=body, headers=self.sent, catch_response=True
        ) as answer:
            if answer.status_code == 409:  # sold out meanwhile: an honest answer
                answer.success()
            if "X-Cart-Token" in answer.headers:
                self.sent["X-Cart-Token"] = answer.headers["X-Cart-Token"]
            return answer.status_code == 201

    def order(self) -> None:
        """Read the cart once more, and order it for the total that was shown. One order in ten is
        sent twice, as by an impatient click, and must be one order."""
        cart = self.client.get("/api/cart", headers=self.sent).json()
        if not cart["items"]:
            return
        headers = {**self.sent, "Idempotency-Key": uuid.uuid4().hex}
        body = {"shipping_address": ADDRESS, "expected_total": cart["subtotal"], **self.who()}
        number = self._place(body, headers)
        if number and random.random() < 0.1:
            again = self.client.post(
                "/api/orders", json=body, headers=headers, name="/api/orders, again"
            )
            assert again.json()["number"] == number, "one key, two orders"

    def who(self) -> dict[str, str]:
        """What a guest has to tell, too."""
        return {"email": "shopper@example.com"}

    def _place(self, body: dict[str, Any], headers: dict[str, str]) -> str:
        with self.client.post(
            "/api/orders", json=body, headers=headers, catch_response=True
        ) as answer:
            if answer.status_code == 409:  # sold out, or dearer by now
                answer.success()
            elif answer.status_code == 201 and answer.json()["total"] != body["expected_total"]:
                answer.failure(
                    f"ordered for {body['expected_total']}, told {answer.json()['total']}"
                )
            return str(answer.json()["number"]) if answer.status_code == 201 else ""

    def _see(self, path: str, name: str) -> None:
        answer = self.client.get(path, name=name)
        if answer.ok:
            self.seen = answer.json()["items"] or self.seen
            url = answer.links.get("next", {}).get("url", "")
            self.link = urlsplit(url)._replace(scheme="", netloc="").geturl() if url else ""


class Visitor(Shopper):
    """Looks around and leaves; some put something aside."""

    weight = 16

    browse = task(10)(Shopper.look_around)
    find = task(5)(Shopper.search)
    open_product = task(9)(Shopper.look_closer)
    take = task(1)(Shopper.put_in_cart)


class Guest(Shopper):
    """Comes to buy: looks for a few things, takes them, orders, and begins again."""

    weight = 3

    @task
    def buy(self) -> None:
        """One visit."""
        self.sent.pop("X-Cart-Token", None)
        taken = 0
        for _ in range(random.randint(1, 4)):
            random.choice((self.search, self.look_around))()
            self.wait()
            self.look_closer()
            self.wait()
            taken += self.put_in_cart()
        if taken:
            self.order()


class Customer(Guest):
    """The same with an account; looks at the orders, too."""

    weight = 1

    def on_start(self) -> None:
        """Register, and sign in."""
        super().on_start()
        account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
        self.client.post("/api/auth/register", json=account)
        tokens = self.client.post("/api/auth/login", json=account).json()
        self.sent["Authorization"] = f"Bearer {tokens['access_token']}"

    def who(self) -> dict[str, str]:
        """The shop knows."""
        return {}

    @task
    def look_at_orders(self) -> None:
        """What was ordered so far."""
        self.client.get("/api/orders", headers=self.sent)

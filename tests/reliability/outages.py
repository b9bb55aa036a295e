"""Shoppers who buy all along while a part of the shop is away, and figures of what they saw.

The tests of faults assert what the shop promises, and no timings beyond the longest wait that it
allows. `python -m tests.reliability.outages` measures the rest, one outage after the other.
"""

import math
import random
import sqlite3
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal
from uuid import uuid4

import psycopg2
import requests

from tests.reliability.setting import OWNER, PASSWORD, PostgreSQLSetting, Setting, fire_setting

ORDER = {
    "email": "pat@example.com",
    "shipping_address": {
        "name": "Pat Doe", "line1": "1 High Street", "city": "Leeds", "country": "GB",
    },
}  # fmt: skip
PATIENCE = 60.0
"""Seconds for which a shopper waits, and tries to order: longer than any outage here."""


@dataclass(frozen=True)
class Sample:
    """One request: when it was sent, how long its answer took, and what it was."""

    at: float
    seconds: float
    status: int | None
    """None where no whole answer came."""
    code: str
    """Of the problem; or what went wrong on the way."""
    says_when: bool
    """Whether there was a Retry-After."""


@dataclass
class Figures:
    """What shoppers saw."""

    samples: list[Sample] = field(default_factory=list)
    orders: dict[str, str] = field(default_factory=dict)
    """The numbers of acknowledged orders, by key."""

    @property
    def statuses(self) -> Counter[int | None]:
        """How often which status came."""
        return Counter(sample.status for sample in self.samples)

    @property
    def slowest(self) -> float:
        """The longest wait for an answer, in seconds."""
        return max((sample.seconds for sample in self.samples), default=0.0)

    @property
    def p95(self) -> float:
        """The 95th percentile of the seconds that answers took."""
        ordered = sorted(sample.seconds for sample in self.samples)
        return ordered[math.ceil(0.95 * len(ordered)) - 1] if ordered else 0.0

    def between(self, since: float, until: float = math.inf) -> "Figures":
        """The requests that were sent in this span of time."""
        return Figures([s for s in self.samples if since <= s.at < until])

    def first_success_after(self, moment: float) -> float:
        """Seconds from `moment` to the first good answer to a request that was sent after it."""
        ends = [s.at + s.seconds for s in self.samples if s.at >= moment and _is_good(s)]
        return min(ends, default=math.inf) - moment

    def unkind(self) -> list[Sample]:
        """Answers that are neither what was asked for, nor a 503 that says when to come again."""
        return [
            s for s in self.samples if not _is_good(s) and not (s.status == 503 and s.says_when)
        ]


def _is_good(sample: Sample) -> bool:
    return sample.status in (200, 201)


class Shopper:
    """A guest who looks around, fills a cart and orders it, each time as somebody new."""

    def __init__(
        self, setting: Setting, variant_id: int, figures: Figures, keeps_alive: bool = False
    ) -> None:
        self._setting, self._variant_id, self._figures = setting, variant_id, figures
        self._session = requests.Session()
        self._session.trust_env = False  # proxies and .netrc cost time, and are not for this
        self._headers = {} if keeps_alive else {"Connection": "close"}

    def visit(self) -> None:
        """Look, take, order."""
        self.send("GET", "/api/products")
        ordering = self.fill_cart()
        if ordering is not None:
            self.order(*ordering)

    def fill_cart(self) -> tuple[str, str] | None:
        """The token of a new cart, and the key to order it with; None where it could not be had."""
        filled = self.send("POST", "/api/cart/items", {"variant_id": self._variant_id})
        if filled is None or filled.status_code != 201:
            return None
        return filled.headers["X-Cart-Token"], uuid4().hex

    def order(self, cart: str, key: str) -> None:
        """Try to order until it is known what became of it."""
        deadline = time.monotonic() + PATIENCE
        while not self.order_once(cart, key) and time.monotonic() < deadline:
            time.sleep(0.05)

    def order_once(self, cart: str, key: str) -> bool:
        """Whether an order was acknowledged."""
        headers = {"X-Cart-Token": cart, "Idempotency-Key": key}
        placed = self.send("POST", "/api/orders", ORDER, headers)
        if placed is None or placed.status_code != 201:
            return False
        self._figures.orders[key] = placed.json()["number"]
        return True

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> requests.Response | None:
        """One request; None where no whole answer came."""
        at = self._setting.clock()
        response, code = None, ""
        try:
            response = self._session.request(
                method,
                self._setting.address + path,
                json=body,
                headers={**self._headers, **(headers or {})},
                timeout=PATIENCE,
            )
        except requests.RequestException as error:
            code = type(error).__name__
        self._figures.samples.append(_sample(at, self._setting.clock() - at, response, code))
        return response

    def close(self) -> None:
        """Hang up."""
        self._session.close()


def _sample(at: float, seconds: float, response: requests.Response | None, code: str) -> Sample:
    if response is None:
        return Sample(at, seconds, None, code, False)
    code = "" if response.ok else response.json()["code"]
    return Sample(at, seconds, response.status_code, code, "Retry-After" in response.headers)


@contextmanager
def load(
    setting: Setting, variant_id: int, shoppers: int = 8, keeps_alive: bool = False
) -> Iterator[Figures]:
    """Shoppers who visit the shop all along the block; each ends the visit that it has begun."""
    figures, stop = Figures(), threading.Event()

    def go_on() -> None:
        shopper = Shopper(setting, variant_id, figures, keeps_alive)
        while not stop.is_set():
            shopper.visit()
            time.sleep(random.uniform(0.005, 0.02))
        shopper.close()

    with ThreadPoolExecutor(shoppers) as threads:
        running = [threads.submit(go_on) for _ in range(shoppers)]
        try:
            yield figures
        finally:
            stop.set()
        for one in running:
            one.result()


def open_shop(setting: Setting, stock: int = 50_000) -> int:
    """Put one article on sale; the id of its variant."""
    signed_in = requests.post(
        f"{setting.address}/api/auth/login",
        json={"email": OWNER, "password": PASSWORD},
        timeout=PATIENCE,
    )
    product = requests.post(
        f"{setting.address}/api/products",
        json={"name": "Mug", "price": "9.00", "stock": stock},
        headers={"Authorization": f"Bearer {signed_in.json()['access_token']}"},
        timeout=PATIENCE,
    )
    variant_id: int = product.json()["variants"][0]["id"]
    return variant_id


@dataclass
class Shop:
    """A shop under fire, the article that it sells, and what all its shoppers saw."""

    setting: Setting
    variant_id: int
    seen: list[Figures] = field(default_factory=list)

    @contextmanager
    def load(self, shoppers: int = 8, keeps_alive: bool = False) -> Iterator[Figures]:
        """Shoppers who visit all along the block."""
        with load(self.setting, self.variant_id, shoppers, keeps_alive) as figures:
            self.seen.append(figures)
            yield figures

    def shopper(self) -> Shopper:
        """Somebody who does what they are told, and no more."""
        self.seen.append(Figures())
        return Shopper(self.setting, self.variant_id, self.seen[-1])

    def acknowledged(self) -> list[str]:
        """The numbers of all orders that shoppers know of, sorted."""
        return sorted(number for figures in self.seen for number in figures.orders.values())

    def orders(self) -> list[str]:
        """The numbers of all orders in the database, sorted."""
        url = self.setting.database_url.replace("+psycopg2", "")
        connect = sqlite3.connect if url.startswith("sqlite") else psycopg2.connect
        with closing(connect(url.removeprefix("sqlite:///"))) as books:
            cursor = books.cursor()
            cursor.execute("SELECT number FROM orders")
            return sorted(number for (number,) in cursor.fetchall())


@contextmanager
def shop_under_fire(
    database: Literal["sqlite", "postgresql"], workers: int = 2, **environ: str
) -> Iterator[Shop]:
    """An open shop, whose books the shop's own audit finds right at the end.

    Raises:
        AssertionError: they are not; it says how.
    """
    with fire_setting(database, workers=workers, environ=environ) as setting:
        yield Shop(setting, open_shop(setting))
        audit = setting.flask("audit")
        if audit.exit_code != 0:
            raise AssertionError(f"{audit.output} {audit.exception!r}")


def measure(shop: Shop, setting: PostgreSQLSetting) -> Iterator[str]:
    """A line for each outage: what was answered, how fast, and how soon it was over."""
    yield _told("all well", shop, lambda: None, lambda: None)
    yield _told("Redis frozen", shop, setting.freeze_redis, setting.thaw_redis)
    yield _told("Redis killed", shop, setting.kill_redis, setting.start_redis)
    for how in ("fast", "immediate"):
        stop = partial(setting.restart_postgresql, how)
        yield _told(f"PostgreSQL restarted ({how})", shop, stop, lambda: None, 0)
    yield _told("PostgreSQL frozen", shop, setting.freeze_postgresql, setting.thaw_postgresql, 12)
    yield _told("reload (HUP)", shop, setting.reload, lambda: None)
    yield _told("stop and start (TERM)", shop, setting.restart_shop, lambda: None)


def _told(
    name: str, shop: Shop, begin: Callable[[], Any], end: Callable[[], Any], seconds: float = 3
) -> str:
    clock = shop.setting.clock
    with shop.load(keeps_alive=True) as figures:
        time.sleep(1)
        began = clock()
        begin()
        time.sleep(seconds)
        end()
        ended = clock()
        time.sleep(2)
    before = Figures([s for s in figures.samples if s.at + s.seconds < began])
    meanwhile = figures.between(began, ended)
    statuses = ", ".join(f"{count} x {status}" for status, count in meanwhile.statuses.items())
    back = figures.first_success_after(ended)
    return (
        f"{name}: {statuses}; p95 {meanwhile.p95:.3f} s (before: {before.p95:.3f}),"
        f" slowest {figures.slowest:.2f} s; first success {back:.2f} s after;"
        f" {len(figures.unkind())} without a whole or kind answer"
    )


def main() -> int:
    """Measure; 1 where an order was lost, or is there that nobody knows of."""
    with shop_under_fire("postgresql", workers=4) as shop:
        assert isinstance(shop.setting, PostgreSQLSetting)
        for line in measure(shop, shop.setting):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
        return int(shop.orders() != shop.acknowledged())


if __name__ == "__main__":
    sys.exit(main())

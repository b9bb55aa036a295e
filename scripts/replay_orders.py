#!/usr/bin/env python3
"""Send a day of a real shop's invoices through the HTTP API of a running server, and reconcile.

Each invoice becomes one guest order, each cancellation (`C…`) returned stock. Afterwards every
invoice must be exactly one order, every order's lines and total exactly the invoice's at the
catalogue's prices, and every article's stock the start less what was sold plus what came back.

The file is CSV: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID,
Country. Articles are found by SKU; what the shop does not carry is counted and left out. Prints one
line of figures for each file; exits 1 on any difference, 2 on wrong usage.

Needs Python alone. The server should run without rate limits (RATELIMIT_ENABLED=false) and serve
nobody else meanwhile.
"""

import argparse
import csv
import http.client
import json
import queue
import sys
import threading
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

TRIES = 8
IDLE_SECONDS = 1  # after that the server may be about to close a connection
MARGIN = 5  # units that stay on the shelf of every article, so that a lost one shows


class UnknownOutcome(Exception):
    """The request may or may not have been carried out."""


class Client:
    """One keep-alive connection to the shop."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            parts.hostname or "localhost", parts.port, timeout=60
        )
        self._used = 0.0
        self.headers: dict[str, str] = {}

    def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any, Any]:
        """Status, headers and JSON of one answer.

        Raises:
            UnknownOutcome: no answer, or one of the server's own failures.
        """
        payload = None if body is None else json.dumps(body)
        all_headers = {**self.headers, **headers}
        if time.monotonic() - self._used > IDLE_SECONDS:
            self._connection.close()
        if payload is not None:
            all_headers["Content-Type"] = "application/json"
        try:
            self._connection.request(method, path, payload, all_headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise UnknownOutcome(repr(error)) from None
        finally:
            self._used = time.monotonic()
        if answer.status == 429:
            time.sleep(float(answer.headers.get("Retry-After", 1)))
        if answer.status in (429, 500, 502, 503, 504):
            raise UnknownOutcome(f"{answer.status} {content[:200]!r}")
        return answer.status, answer.headers, json.loads(content) if content else None

    def expect(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of an answer that must have this status."""
        got, _, content = self.call(method, path, body, **headers)
        if got != status:
            raise SystemExit(f"{method} {path}: {got} instead of {status}: {content}")
        return content

    def get_all(self, path: str) -> list[dict[str, Any]]:
        """Every item of a list, by cursor."""
        items: list[dict[str, Any]] = []
        cursor: str | None = ""
        while cursor is not None:
            answer = self.expect(200, "GET", f"{path}&per_page=100&cursor={cursor}")
            items += answer["items"]
            cursor = answer["next_cursor"]
        return items


@dataclass
class Article:
    """A variant of the shop's catalogue."""

    product_id: int
    variant_id: int
    price: Decimal
    stock: int


@dataclass
class Day:
    """The invoices of one file, as far as the shop carries their articles."""

    sold: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    returned: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    left_out: int = 0

    def units_sold(self) -> Counter[str]:
        """Units by SKU over all invoices."""
        return sum(self.sold.values(), Counter())

    def units_returned(self) -> Counter[str]:
        """Units by SKU over all cancellations."""
        return sum(self.returned.values(), Counter())


@dataclass
class Outcome:
    """What the clients saw."""

    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def read_day(path: Path, catalogue: dict[str, Article]) -> Day:
    """The invoices of a file; the same article in several lines of one invoice is added up."""
    day = Day()
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            invoice, sku, quantity = row["InvoiceNo"], row["StockCode"], int(row["Quantity"])
            if sku not in catalogue or (quantity > 0) == invoice.startswith("C"):
                day.left_out += 1
            elif quantity > 0:
                day.sold[invoice][sku] += quantity
            else:
                day.returned[invoice][sku] -= quantity
    return day


def read_catalogue(client: Client) -> dict[str, Article]:
    """Every variant that is for sale, by SKU."""
    return {
        variant["sku"]: Article(
            product["id"], variant["id"], Decimal(variant["price"]), variant["stock"]
        )
        for product in client.get_all("/api/products?sort=name")
        for variant in product["variants"]
    }


def set_stock(admin: Client, run: str, catalogue: dict[str, Article], needed: Counter[str]) -> None:
    """Put just as much on the shelf as the day will sell, and MARGIN."""
    for sku, units in needed.items():
        article = catalogue[sku]
        delta = units + MARGIN - article.stock
        if delta:
            book(admin, article, delta, f"{run}: stock for the day")
            article.stock += delta


def book(admin: Client, article: Article, delta: int, reason: str) -> None:
    """Change what is on hand of one article, once: in doubt the ledger tells."""
    path = f"/api/products/{article.product_id}/stock"
    body = {"variant_id": article.variant_id, "delta": delta, "reason": reason}
    is_sent = False

    def attempt() -> None:
        nonlocal is_sent
        if is_sent:
            ledger = admin.expect(200, "GET", f"{path}?per_page=100")["items"]
            if any(row["reason"] == reason for row in ledger):
                return
        is_sent = True
        admin.expect(200, "POST", path, body)

    retried(attempt)


def place_order(
    client: Client, invoice: str, lines: Counter[str], run: str, catalogue: dict[str, Article]
) -> dict[str, Any]:
    """One invoice as a guest's order. A cart in doubt is given up for a new one; an order in
    doubt is asked for again with the same key.

    Raises:
        UnknownOutcome: after TRIES tries.
    """
    token = retried(lambda: fill_cart(client, lines, catalogue))
    body = {"email": f"invoice-{invoice}@example.com", "note": f"{run} {invoice}"}
    headers = {"X-Cart-Token": token, "Idempotency-Key": f"{run}-{invoice}"}
    status, _, answer = retried(lambda: client.call("POST", "/api/orders", body, **headers))
    if status != 201:
        raise UnknownOutcome(f"{status} {answer}")
    order: dict[str, Any] = answer
    return order


def fill_cart(client: Client, lines: Counter[str], catalogue: dict[str, Article]) -> str:
    """A new guest cart with these lines; its token."""
    headers: dict[str, str] = {}
    for sku, quantity in lines.items():
        body = {"variant_id": catalogue[sku].variant_id, "quantity": quantity}
        status, answered, answer = client.call("POST", "/api/cart/items", body, **headers)
        if status != 201:
            raise UnknownOutcome(f"{sku}: {status} {answer}")
        headers = headers or {"X-Cart-Token": answered["X-Cart-Token"]}
    return headers["X-Cart-Token"]


def retried(work: Any) -> Any:
    """Do it again on an unknown outcome, a little later each time."""
    for attempt in range(1, TRIES + 1):
        try:
            return work()
        except UnknownOutcome:
            if attempt == TRIES:
                raise
            time.sleep(0.1 * attempt)
    raise AssertionError("unreachable")


def replay(
    options: argparse.Namespace, day: Day, run: str, catalogue: dict[str, Article]
) -> Outcome:
    """Send everything through `options.clients` concurrent clients."""
    work: queue.SimpleQueue[tuple[str, Counter[str]]] = queue.SimpleQueue()
    for item in sorted(
        [*day.sold.items(), *day.returned.items()], key=lambda item: item[0].lstrip("C")
    ):
        work.put(item)
    outcome = Outcome()
    threads = [
        threading.Thread(target=serve, args=(options, work, run, catalogue, outcome))
        for _ in range(options.clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def serve(
    options: argparse.Namespace,
    work: Any,
    run: str,
    catalogue: dict[str, Article],
    outcome: Outcome,
) -> None:
    """One client: takes invoices until there are none left."""
    guest, staff = Client(options.url), sign_in(options)
    while True:
        try:
            invoice, lines = work.get_nowait()
        except queue.Empty:
            return
        try:
            if invoice.startswith("C"):
                for sku, quantity in lines.items():
                    book(staff, catalogue[sku], quantity, f"{run}: returned with {invoice}")
            else:
                outcome.orders[invoice] = place_order(guest, invoice, lines, run, catalogue)
        except (UnknownOutcome, SystemExit) as error:
            outcome.failures.append(f"{invoice}: {error}")


def reconcile(
    admin: Client, since: str, run: str, day: Day, outcome: Outcome, catalogue: dict[str, Article]
) -> list[str]:
    """Every difference between the invoices and what the shop has."""
    differences = list(outcome.failures)
    stored = [
        o for o in admin.get_all(f"/api/orders?from={quote(since)}") if o["note"].startswith(run)
    ]
    times = Counter(order["note"].removeprefix(f"{run} ") for order in stored)
    differences += [
        f"{invoice}: {times[invoice]} orders" for invoice in day.sold if times[invoice] != 1
    ]
    differences += [
        f"{invoice}: nobody asked for it" for invoice in times if invoice not in day.sold
    ]
    for order in stored:
        differences += wrong_lines(
            order, day.sold.get(order["note"].removeprefix(f"{run} "), Counter()), catalogue
        )
    after = read_catalogue(admin)
    sold, returned = day.units_sold(), day.units_returned()
    for sku in sold | returned:
        expected = catalogue[sku].stock - sold[sku] + returned[sku]
        if after[sku].stock != expected:
            differences.append(f"{sku}: {after[sku].stock} in stock instead of {expected}")
    return differences


def wrong_lines(
    order: dict[str, Any], lines: Counter[str], catalogue: dict[str, Article]
) -> list[str]:
    """What is different between an order and its invoice."""
    ordered = Counter({item["sku"]: item["quantity"] for item in order["items"]})
    differences = [f"{order['note']}: the lines differ"] if ordered != lines else []
    total = sum((catalogue[sku].price * quantity for sku, quantity in lines.items()), Decimal(0))
    if Decimal(order["total"]) != total:
        differences.append(f"{order['note']}: {order['total']} instead of {total}")
    return differences


def sign_in(options: argparse.Namespace) -> Client:
    """A client with staff's token."""
    client = Client(options.url)
    body = {"email": options.email, "password": options.password}
    answer = client.expect(200, "POST", "/api/auth/login", body)
    client.headers["Authorization"] = f"Bearer {answer['access_token']}"
    return client


def figures(name: str, day: Day, outcome: Outcome, seconds: float, differences: int) -> str:
    """The line that is printed."""
    orders = outcome.orders.values()
    value = sum((Decimal(order["total"]) for order in orders), Decimal(0))
    currency = next((order["currency"] for order in orders), "")
    lines = sum(len(order["items"]) for order in orders)
    return (
        f"{name}: {len(day.sold)} invoices, {len(orders)} orders, {lines:,} lines,"
        f" {day.units_sold().total():,} units, {value:,} {currency},"
        f" {len(day.returned)} cancellations with {day.units_returned().total():,} units back,"
        f" {day.left_out} lines left out, {differences} differences, {seconds:.1f} s"
    )


def replay_file(options: argparse.Namespace, path: Path) -> bool:
    """Replay one day; whether everything agrees."""
    admin = sign_in(options)
    catalogue = read_catalogue(admin)
    day = read_day(path, catalogue)
    since = datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    run = f"replay-{path.stem}-{int(time.time() * 1000):x}"
    set_stock(admin, run, catalogue, day.units_sold())
    started = time.monotonic()
    outcome = replay(options, day, run, catalogue)
    seconds = time.monotonic() - started
    differences = reconcile(sign_in(options), since, run, day, outcome, catalogue)
    print(figures(path.stem, day, outcome, seconds, len(differences)), flush=True)
    for line in differences[:20]:
        print("  ", line, file=sys.stderr)
    return not differences


def main() -> None:
    """Replay the files in turn."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="DAY.csv")
    parser.add_argument("--url", default="http://localhost:5000")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--email", default="demo-admin@example.com", help="of a member of staff")
    parser.add_argument("--password", default="shopswift demo admin")
    options = parser.parse_args()
    results = [replay_file(options, path) for path in options.files]
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()

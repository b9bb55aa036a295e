"""A shop in memory that keeps the contract: for trying the checker, in no time, on any history.

Each request is carried out at one moment, whole, so whatever is sent and lost around it, the
checker must find nothing. Shops with a fault are subclasses of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.reliability.checker.stories import FOLLOWS
from tests.reliability.ledgers import (
    Books,
    Event,
    Key,
    Line,
    Movement,
    Order,
    User,
    Variant,
)

Answer = tuple[int, Any]
Lines = dict[int, int]
OPENING = datetime(2026, 11, 22, tzinfo=timezone.utc)


@dataclass(frozen=True)
class Sent:
    """A request as it reaches the shop: what the history says of it, and who sends it."""

    operation: str
    user: str
    path: str
    body: Any = None
    key: str | None = None
    account: str | None = None
    """The label of who is signed in."""
    token: str | None = None
    """A guest's."""
    about: Mapping[str, Any] = field(default_factory=dict)


class PretendShop:
    """Prices and stock by variant, carts by account or token, orders by number, and the books."""

    def __init__(self, prices: Lines, stock: Lines) -> None:
        self.now = 0.0
        self.prices, self.on_hand, self.opening = dict(prices), dict(stock), dict(stock)
        self.allocated = dict.fromkeys(stock, 0)
        self.users: dict[str, int] = {}
        self.carts: dict[str, Lines] = {}
        self.orders: dict[str, Order] = {}
        self.keys: dict[tuple[str, str], tuple[Any, str, Any]] = {}
        self.movements: list[Movement] = []
        self._ids = 0
        for variant_id, units in stock.items():
            self._book(variant_id, units, 0, "opening")

    def handle(self, sent: Sent) -> tuple[int, Any, bool]:
        """Carry out a request: status, answer, and whether it is a replay."""
        if sent.operation == "place_order":
            return self.place_order(sent)
        status, answer = getattr(self, sent.operation)(sent)
        return status, answer, False

    def books(self) -> Books:
        """What the database would hold."""
        ids = {order.number: order.id for order in self.orders.values()}
        return Books(
            orders={order.id: order for order in self.orders.values()},
            variants={
                v: Variant(v, self.on_hand[v], self.allocated[v], self.prices[v])
                for v in self.prices
            },
            movements=list(self.movements),
            keys=[Key(who, key, ids.get(n)) for (who, key), (_, n, _) in self.keys.items()],
            carts={
                self.users[name.removeprefix("user:")]: dict(lines)
                for name, lines in self.carts.items()
                if name.startswith("user:")
            },
            users={user_id: User(user_id) for user_id in self.users.values()},
        )

    def register(self, sent: Sent) -> Answer:
        if sent.user in self.users:
            return refused(409, "email_taken")
        self.users[sent.user] = self._next()
        return 201, {"id": self.users[sent.user]}

    def login(self, sent: Sent) -> Answer:
        own = self.carts.setdefault(f"user:{sent.user}", {})
        for variant_id, more in self.carts.pop(f"guest:{sent.token}", {}).items():
            had = own.get(variant_id, 0)
            own[variant_id] = min(had + more, max(had, self.available(variant_id))) if had else more
        return 200, {"access_token": "", "refresh_token": ""}

    def read_cart(self, sent: Sent) -> Answer:
        return 200, self.show_cart(self.carts.get(name_of(sent), {}))

    def add_item(self, sent: Sent) -> Answer:
        variant_id, more = sent.about["variant_id"], sent.about["quantity"]
        lines = self.carts.get(name_of(sent), {})
        return self._write(sent, variant_id, lines.get(variant_id, 0) + more, 201)

    def change_item(self, sent: Sent) -> Answer:
        variant_id = sent.about["variant_id"]
        if variant_id not in self.carts.get(name_of(sent), {}):
            return refused(404, "not_found")
        return self._write(sent, variant_id, sent.about["quantity"], 200)

    remove_item = change_item

    def empty_cart(self, sent: Sent) -> Answer:
        if name_of(sent) in self.carts:
            self.carts[name_of(sent)] = {}
        return 204, None

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        name = (name_of(sent), sent.key or "")
        if name in self.keys and sent.key is not None:
            body, _number, answer = self.keys[name]
            return (
                (201, answer, True)
                if body == sent.body
                else (*refused(422, "idempotency_key_reused"), False)
            )
        lines = dict(self.carts.get(name_of(sent), {}))
        if not lines:
            return *refused(422, "cart_empty"), False
        short = [self._shortage(v, n) for v, n in lines.items() if n > self.available(v)]
        if short:
            return *refused(409, "out_of_stock", shortages=short), False
        order = self._make(sent, lines)
        answer = self.show_order(order)
        if sent.key is not None:
            self.keys[name] = (sent.body, order.number, answer)
        self.carts[name_of(sent)] = {}
        return 201, answer, False

    def read_order(self, sent: Sent) -> Answer:
        order = self.orders.get(sent.about["number"])
        return (200, self.show_order(order)) if order else refused(404, "not_found")

    def list_orders(self, sent: Sent) -> Answer:
        mine = [o for o in self.orders.values() if o.user_id == self.users[sent.user]]
        mine.sort(key=lambda order: (-order.placed_at.timestamp(), order.id))
        first = (sent.about["page"] - 1) * sent.about["per_page"]
        items = mine[first : first + sent.about["per_page"]]
        return 200, {"items": [self.show_order(order) for order in items], "total": len(mine)}

    def cancel(self, sent: Sent) -> Answer:
        return self._step(sent.about["number"], "cancelled", "customer")

    def set_status(self, sent: Sent) -> Answer:
        return self._step(sent.about["number"], sent.body["status"], "staff")

    def change_price(self, sent: Sent) -> Answer:
        self.prices[sent.about["variant_id"]] = sent.about["price"]
        return 200, {}

    def adjust_stock(self, sent: Sent) -> Answer:
        variant_id, delta = sent.about["variant_id"], sent.about["delta"]
        if self.on_hand[variant_id] + delta < self.allocated[variant_id]:
            return refused(409, "stock_promised")
        self.move(variant_id, delta, 0, sent.body["reason"])
        on_hand, allocated = self.on_hand[variant_id], self.allocated[variant_id]
        return 200, {"variant_id": variant_id, "on_hand": on_hand, "allocated": allocated}

    def read_product(self, sent: Sent) -> Answer:
        variant_id = sent.about["variant_id"]
        price, stock = money(self.prices[variant_id]), self.available(variant_id)
        return 200, {"variants": [{"id": variant_id, "price": price, "stock": stock}]}

    def available(self, variant_id: int) -> int:
        """What can be sold now."""
        return self.on_hand[variant_id] - self.allocated[variant_id]

    def move(
        self, variant_id: int, on_hand: int, allocated: int, reason: str, order: Order | None = None
    ) -> None:
        """Change the figures and the ledger."""
        self.on_hand[variant_id] += on_hand
        self.allocated[variant_id] += allocated
        self._book(variant_id, on_hand, allocated, reason, order)

    def show_cart(self, lines: Lines) -> dict[str, Any]:
        items = [
            {
                "variant_id": v,
                "quantity": n,
                "unit_price": money(self.prices[v]),
                "available": self.available(v),
            }
            for v, n in lines.items()
        ]
        subtotal = sum(n * self.prices[v] for v, n in lines.items())
        count = sum(lines.values())
        return {"items": items, "item_count": count, "subtotal": money(subtotal)}

    def show_order(self, order: Order) -> dict[str, Any]:
        """An order as answers have it."""
        items = [
            {
                "variant_id": line.variant_id,
                "sku": line.sku,
                "quantity": line.quantity,
                "unit_price": money(line.unit_price),
                "line_total": money(line.line_total),
            }
            for line in order.lines
        ]
        return {
            "id": order.id, "number": order.number, "user_id": order.user_id,
            "status": order.status, "subtotal": money(order.subtotal),
            "total": money(order.total), "email": order.email, "note": order.note, "items": items,
            "history": [{"status": event.status} for event in order.events],
        }  # fmt: skip

    def price_for(self, variant_id: int) -> int:
        """What checkout asks for a variant."""
        return self.prices[variant_id]

    def _make(self, sent: Sent, lines: Lines) -> Order:
        priced = tuple(
            Line(v, f"SKU-{v}", n, self.price_for(v), n * self.price_for(v))
            for v, n in lines.items()
        )
        order_id, total = self._next(), sum(line.line_total for line in priced)
        user_id = self.users[sent.account] if sent.account else None
        order = Order(
            order_id, f"N{order_id}", user_id, "pending", total, total, 0, f"{sent.user}@x",
            (sent.body or {}).get("note", ""), OPENING + timedelta(seconds=self.now), priced,
            (Event(self._next(), "pending", "customer"),),
        )  # fmt: skip
        self.orders[order.number] = order
        for line in priced:
            self.move(line.variant_id, 0, line.quantity, "order placed", order)
        return order

    def _step(self, number: str, status: str, done_by: str) -> Answer:
        order = self.orders.get(number)
        if order is None:
            return refused(404, "not_found")
        if status not in FOLLOWS[order.status]:
            return refused(409, "illegal_transition")
        order = self.append_step(order, status, done_by)
        return 200, self.show_order(order)

    def append_step(self, order: Order, status: str, done_by: str) -> Order:
        """Take a step, with what it does to the stock."""
        events = (*order.events, Event(self._next(), status, done_by))
        order = self.orders[order.number] = replace(order, status=status, events=events)
        on_hand, held = {"cancelled": (0, -1), "shipped": (-1, -1)}.get(status, (0, 0))
        for line in order.lines if held else ():
            units = line.quantity
            self.move(line.variant_id, on_hand * units, held * units, f"order {status}", order)
        return order

    def _write(self, sent: Sent, variant_id: int, quantity: int, status: int) -> Answer:
        if quantity > self.available(variant_id):
            shortage = self._shortage(variant_id, quantity)
            return refused(409, "out_of_stock", shortages=[shortage])
        lines = self.carts.setdefault(name_of(sent), {})
        lines[variant_id] = quantity
        if not quantity:
            del lines[variant_id]
        return status, self.show_cart(lines)

    def _shortage(self, variant_id: int, requested: int) -> dict[str, int]:
        available = self.available(variant_id)
        return {"variant_id": variant_id, "requested": requested, "available": available}

    def _book(
        self, variant_id: int, on_hand: int, allocated: int, reason: str, order: Order | None = None
    ) -> None:
        if on_hand or allocated:
            order_id = order.id if order else None
            row = Movement(self._next(), variant_id, on_hand, allocated, reason, order_id)
            self.movements.append(row)

    def _next(self) -> int:
        self._ids += 1
        return self._ids


def refused(status: int, code: str, **more: Any) -> Answer:
    """A problem."""
    return status, {"code": code, **more}


def money(minor: int) -> str:
    """Minor units with two places."""
    return f"{minor // 100}.{minor % 100:02}"


def name_of(sent: Sent) -> str:
    """Whose cart, and whose keys."""
    return f"user:{sent.account}" if sent.account else f"guest:{sent.token}"

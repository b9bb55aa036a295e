"""The final books: what the database holds when everything is over, as plain rows.

An independent witness: it reads tables, and shares no code with the shop that wrote them.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import psycopg2
from psycopg2.extras import DictCursor


@dataclass(frozen=True)
class Line:
    """One line of an order; money in minor units."""

    variant_id: int
    sku: str
    quantity: int
    unit_price: int
    line_total: int


@dataclass(frozen=True)
class Event:
    """A step in an order's history."""

    id: int
    status: str
    done_by: str


@dataclass(frozen=True)
class Order:
    """An order with its lines and its history, both by id; money in minor units."""

    id: int
    number: str
    user_id: int | None
    status: str
    subtotal: int
    total: int
    extras: int
    """Shipping and tax less discount: what lies between subtotal and total."""
    email: str | None
    note: str
    placed_at: datetime
    lines: tuple[Line, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Variant:
    """The figures and the price of something for sale."""

    id: int
    on_hand: int
    allocated: int
    price: int
    is_offered: bool = True


@dataclass(frozen=True)
class Movement:
    """A row of the stock ledger."""

    id: int
    variant_id: int
    on_hand: int
    allocated: int
    reason: str
    order_id: int | None = None


@dataclass(frozen=True)
class Key:
    """An idempotency key, whose it is (`user:7`, `cart:…`), and the order made under it."""

    scope: str
    key: str
    order_id: int | None
    is_answered: bool = True


@dataclass(frozen=True)
class User:
    """An account."""

    id: int
    role: str = "customer"


@dataclass
class Books:
    """Everything, by id; movements and keys in the order of their ids."""

    orders: dict[int, Order] = field(default_factory=dict)
    variants: dict[int, Variant] = field(default_factory=dict)
    movements: list[Movement] = field(default_factory=list)
    keys: list[Key] = field(default_factory=list)
    carts: dict[int, dict[int, int]] = field(default_factory=dict)
    """Quantities by variant id, by the id of the user whose cart it is."""
    users: dict[int, User] = field(default_factory=dict)


def read_books(database_url: str) -> Books:
    """Read the whole database once, in one transaction; nobody should be writing any more."""
    connection = _connect(database_url)
    try:
        read = _Reader(connection)
        return Books(
            orders=_orders(read),
            variants={variant.id: variant for variant in _variants(read)},
            movements=list(_movements(read)),
            keys=list(_keys(read)),
            carts=_carts(read),
            users={user.id: user for user in _users(read)},
        )
    finally:
        connection.close()


def _connect(database_url: str) -> Any:
    """The driver's own connection: what the shop taught SQLAlchemy has no say here."""
    if database_url.startswith("sqlite"):
        connection = sqlite3.connect(database_url.partition("///")[2])
        connection.isolation_level = None
        connection.row_factory = sqlite3.Row
        connection.execute("BEGIN")
        return connection
    server = psycopg2.connect(database_url.replace("+psycopg2", ""), cursor_factory=DictCursor)
    server.set_session(isolation_level="REPEATABLE READ", readonly=True)
    return server


class _Reader:
    """Rows by query, each with its columns by name."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def __call__(self, query: str) -> Iterator[Any]:
        cursor = self._connection.cursor()
        cursor.execute(query)
        yield from cursor


def _orders(read: _Reader) -> dict[int, Order]:
    lines: dict[int, list[Line]] = defaultdict(list)
    for row in read("SELECT * FROM order_lines ORDER BY order_id, id"):
        lines[row["order_id"]].append(
            Line(
                row["variant_id"],
                row["sku"],
                row["quantity"],
                row["unit_price"],
                row["line_total"],
            )
        )
    events: dict[int, list[Event]] = defaultdict(list)
    for row in read("SELECT * FROM order_events ORDER BY order_id, id"):
        events[row["order_id"]].append(Event(row["id"], row["status"], row["done_by"]))
    return {
        row["id"]: _order(row, tuple(lines[row["id"]]), tuple(events[row["id"]]))
        for row in read("SELECT * FROM orders ORDER BY id")
    }


def _order(row: Any, lines: tuple[Line, ...], events: tuple[Event, ...]) -> Order:
    return Order(
        id=row["id"],
        number=row["number"],
        user_id=row["user_id"],
        status=row["status"],
        subtotal=row["subtotal"],
        total=row["total"],
        extras=row["shipping_total"] + row["tax_total"] - row["discount_total"],
        email=row["email"],
        note=row["note"],
        placed_at=_time(row["placed_at"]),
        lines=lines,
        events=events,
    )


def _variants(read: _Reader) -> Iterator[Variant]:
    query = """SELECT v.id, v.on_hand, v.allocated, v.price,
            v.is_active AND p.is_active AND v.deleted_at IS NULL AND p.deleted_at IS NULL AS offered
        FROM variants v JOIN products p ON p.id = v.product_id"""
    for row in read(query):
        yield Variant(
            row["id"], row["on_hand"], row["allocated"], row["price"], bool(row["offered"])
        )


def _movements(read: _Reader) -> Iterator[Movement]:
    for row in read("SELECT * FROM stock_movements ORDER BY id"):
        yield Movement(
            row["id"],
            row["variant_id"],
            row["on_hand_delta"],
            row["allocated_delta"],
            row["reason"],
            row["order_id"],
        )


def _keys(read: _Reader) -> Iterator[Key]:
    query = "SELECT scope, key, order_id, answer IS NOT NULL AS answered FROM idempotency_keys"
    for row in read(f"{query} ORDER BY id"):
        yield Key(row["scope"], row["key"], row["order_id"], bool(row["answered"]))


def _carts(read: _Reader) -> dict[int, dict[int, int]]:
    query = """SELECT c.user_id, l.variant_id, l.quantity
        FROM carts c JOIN cart_lines l ON l.cart_id = c.id WHERE c.user_id IS NOT NULL"""
    carts: dict[int, dict[int, int]] = defaultdict(dict)
    for row in read(query):
        carts[row["user_id"]][row["variant_id"]] = row["quantity"]
    return dict(carts)


def _users(read: _Reader) -> Iterator[User]:
    for row in read("SELECT id, role FROM users"):
        yield User(row["id"], row["role"])


def _time(value: datetime | str) -> datetime:
    """SQLite hands times over as text, in UTC."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=timezone.utc)
    return value

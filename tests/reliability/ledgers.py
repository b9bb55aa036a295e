"""The final books: what the database holds when everything is over, as plain rows.

An independent witness: it reads tables, and shares no code with the shop that wrote them.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool


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
    url = database_url.replace("postgresql://", "postgresql+psycopg2://", 1)
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        else:
            connection.exec_driver_sql("BEGIN")
        return Books(
            orders=_orders(connection),
            variants={variant.id: variant for variant in _variants(connection)},
            movements=list(_movements(connection)),
            keys=list(_keys(connection)),
            carts=_carts(connection),
            users={user.id: user for user in _users(connection)},
        )


def _rows(connection: Connection, query: str) -> Iterator[Mapping[str, Any]]:
    yield from connection.execute(text(query)).mappings()


def _orders(connection: Connection) -> dict[int, Order]:
    lines: dict[int, list[Line]] = defaultdict(list)
    for row in _rows(connection, "SELECT * FROM order_lines ORDER BY order_id, id"):
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
    for row in _rows(connection, "SELECT * FROM order_events ORDER BY order_id, id"):
        events[row["order_id"]].append(Event(row["id"], row["status"], row["done_by"]))
    return {
        row["id"]: _order(row, tuple(lines[row["id"]]), tuple(events[row["id"]]))
        for row in _rows(connection, "SELECT * FROM orders ORDER BY id")
    }


def _order(row: Mapping[str, Any], lines: tuple[Line, ...], events: tuple[Event, ...]) -> Order:
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


def _variants(connection: Connection) -> Iterator[Variant]:
    query = """SELECT v.id, v.on_hand, v.allocated, v.price,
            v.is_active AND p.is_active AND v.deleted_at IS NULL AND p.deleted_at IS NULL AS offered
        FROM variants v JOIN products p ON p.id = v.product_id"""
    for row in _rows(connection, query):
        yield Variant(
            row["id"], row["on_hand"], row["allocated"], row["price"], bool(row["offered"])
        )


def _movements(connection: Connection) -> Iterator[Movement]:
    for row in _rows(connection, "SELECT * FROM stock_movements ORDER BY id"):
        yield Movement(
            row["id"],
            row["variant_id"],
            row["on_hand_delta"],
            row["allocated_delta"],
            row["reason"],
            row["order_id"],
        )


def _keys(connection: Connection) -> Iterator[Key]:
    query = "SELECT scope, key, order_id, answer IS NOT NULL AS answered FROM idempotency_keys"
    for row in _rows(connection, f"{query} ORDER BY id"):
        yield Key(row["scope"], row["key"], row["order_id"], bool(row["answered"]))


def _carts(connection: Connection) -> dict[int, dict[int, int]]:
    query = """SELECT c.user_id, l.variant_id, l.quantity
        FROM carts c JOIN cart_lines l ON l.cart_id = c.id WHERE c.user_id IS NOT NULL"""
    carts: dict[int, dict[int, int]] = defaultdict(dict)
    for row in _rows(connection, query):
        carts[row["user_id"]][row["variant_id"]] = row["quantity"]
    return dict(carts)


def _users(connection: Connection) -> Iterator[User]:
    for row in _rows(connection, "SELECT id, role FROM users"):
        yield User(row["id"], row["role"])


def _time(value: datetime | str) -> datetime:
    """SQLite hands times over as text."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value

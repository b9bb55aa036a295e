"""Past orders in batches, in every status, with their history and their stock movements.

The units that they sell are delivered first, so that no number of orders sells the shop out, and
every variant's stock is the sum of its movements.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import NamedTuple

from sqlalchemy import func, select

from app.db.bulk import insert_rows, reserve_ids, update_rows
from app.domain.order_status import STATUSES, OrderStatus
from app.domain.people.tokens import hash_token, new_order_number, new_token
from app.domain.pricing import totals as pricing
from app.extensions import db
from app.models import Order, OrderEvent, OrderLine, Product, StockMovement, User, Variant
from app.models.availability import IS_PURCHASABLE
from app.services.orders import order_words
from app.services.orders.order_words import Article
from app.services.seeding.content import read

BATCH = 1_000
"""Orders a transaction."""
_POOL = 1_000
"""How many variants the orders of a batch are for."""
_DELIVERED_BEFORE = timedelta(days=58)

# How often a status occurs, and how many hours ago such an order was placed.
_MIX: dict[OrderStatus, tuple[int, int, int]] = {
    "pending": (8, 0, 20),
    "processing": (10, 20, 70),
    "shipped": (12, 70, 200),
    "delivered": (60, 200, 1300),
    "cancelled": (10, 40, 1300),
}
_STEPS: dict[OrderStatus, tuple[OrderStatus, ...]] = {
    "pending": ("pending",),
    "processing": ("pending", "processing"),
    "shipped": ("pending", "processing", "shipped"),
    "delivered": ("pending", "processing", "shipped", "delivered"),
    "cancelled": ("pending", "cancelled"),
}
# The reason in the ledger, and the change of on hand and allocated for each unit.
_MOVES: dict[OrderStatus, tuple[str, int, int]] = {
    "pending": ("order placed", 0, 1),
    "shipped": ("order shipped", -1, -1),
    "cancelled": ("order cancelled", 0, -1),
}


class _Variant(NamedTuple):
    id: int
    product_id: int
    sku: str
    name: str
    options: dict[str, str]
    price: int


class _Line(NamedTuple):
    variant: _Variant
    quantity: int


class _Movement(NamedTuple):
    variant_id: int
    on_hand_delta: int
    allocated_delta: int
    reason: str
    order_id: int | None
    at: datetime


@dataclass(frozen=True)
class _Buyer:
    user_id: int | None
    email: str
    address: dict[str, str]


@dataclass(frozen=True)
class _PastOrder:
    id: int
    status: OrderStatus
    placed_at: datetime
    buyer: _Buyer
    lines: list[_Line]

    def steps(self) -> list[tuple[OrderStatus, datetime]]:
        """Its history: each status with its time, some hours apart."""
        steps = _STEPS[self.status]
        gap = timedelta(hours=max(_MIX[self.status][1] // len(steps), 1))
        return [(step, self.placed_at + gap * place) for place, step in enumerate(steps)]


def count() -> int:
    """How many orders there are."""
    return db.session.scalar(select(func.count()).select_from(Order)) or 0


def fill_up(target: int, seed: int, currency: str, now: datetime) -> int:
    """Add a batch of orders, or what is missing to `target`; return how many there are then.

    The caller holds the store's lock. Where nothing is for sale, nothing is added.
    """
    existing = count()
    missing = min(target - existing, BATCH)
    rng = Random(f"{seed}:{existing}")  # noqa: S311 - made-up orders; their numbers are real secrets
    pool = _lock_pool(rng) if missing > 0 else []
    if not pool:
        return existing
    _store(_make(missing, pool, rng, now), currency, now)
    return existing + missing


def _lock_pool(rng: Random) -> list[_Variant]:
    """Active variants from all over the catalogue, locked in the order of their ids."""
    low = db.session.scalar(select(func.min(Variant.id))) or 0
    high = db.session.scalar(select(func.max(Variant.id))) or 0
    span = range(low, high + 1)
    ids = span if len(span) <= _POOL else sorted(rng.sample(span, _POOL))
    query = (
        select(Variant.id, Variant.product_id, Variant.sku, Product.name, Variant.options,
               Variant.price)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.id.in_(ids), IS_PURCHASABLE)
        .order_by(Variant.id)
        .with_for_update(of=Variant, key_share=True)
    )  # fmt: skip
    return [_Variant._make(row) for row in db.session.execute(query)]


def _make(count: int, pool: Sequence[_Variant], rng: Random, now: datetime) -> list[_PastOrder]:
    customers = _customers()
    weights = [_MIX[status][0] for status in STATUSES]
    # Each status once, however few orders there are.
    statuses = [*STATUSES, *rng.choices(STATUSES, weights, k=count)][:count]
    times = [(now - timedelta(minutes=_age(status, rng)), status) for status in statuses]
    return [
        _PastOrder(order_id, status, at, _buyer(customers, rng), _lines(pool, rng))
        for order_id, (at, status) in zip(reserve_ids(Order, count), sorted(times), strict=True)
    ]


def _age(status: OrderStatus, rng: Random) -> int:
    _, low, high = _MIX[status]
    return rng.randint(low * 60 + 5, high * 60)


def _lines(pool: Sequence[_Variant], rng: Random) -> list[_Line]:
    variants = rng.sample(pool, min(rng.randint(1, 4), len(pool)))
    return [_Line(variant, rng.randint(1, 3)) for variant in variants]


def _customers() -> list[_Buyer]:
    """The demo customers who still have accounts."""
    people = {person["email"]: person for person in read("people")["customers"]}
    rows = db.session.execute(
        select(User.id, User.email_key).where(User.email_key.in_(people)).order_by(User.id)
    )
    return [_Buyer(row.id, row.email_key, people[row.email_key]["address"]) for row in rows]


def _buyer(customers: Sequence[_Buyer], rng: Random) -> _Buyer:
    """A demo customer in two orders of three, else a guest."""
    if customers and rng.random() < 0.67:
        return rng.choice(customers)
    guests = read("people")["guests"]
    first, last = rng.choice(guests["first_names"]), rng.choice(guests["last_names"])
    city, postal_code, country = rng.choice(guests["towns"])
    address = {
        "name": f"{first} {last}",
        "line1": f"{rng.randint(1, 120)} {rng.choice(guests['streets'])}",
        "city": city,
        "postal_code": postal_code,
        "country": country,
    }
    return _Buyer(None, f"{first}.{last}@example.com".lower(), address)


def _store(orders: Sequence[_PastOrder], currency: str, now: datetime) -> None:
    insert_rows(Order, _ORDER, [_order_row(order, currency) for order in orders])
    insert_rows(OrderLine, _LINE, [_line_row(o, line) for o in orders for line in o.lines])
    insert_rows(OrderEvent, _EVENT, [row for order in orders for row in _event_rows(order)])
    _book(orders, now)


def _book(orders: Sequence[_PastOrder], now: datetime) -> None:
    """Write the ledger in the order of its times, and add it to the variants' stock."""
    units: dict[int, int] = defaultdict(int)
    for order in orders:
        for line in order.lines:
            units[line.variant.id] += line.quantity
    earliest = now - _DELIVERED_BEFORE
    movements = [
        _Movement(variant_id, quantity, 0, "delivery", None, earliest)
        for variant_id, quantity in sorted(units.items())
    ]
    movements += sorted(
        (row for order in orders for row in _movement_rows(order)), key=lambda row: row.at
    )
    insert_rows(StockMovement, _Movement._fields, movements)
    _add_to_stock(movements)


def _add_to_stock(movements: Iterable[_Movement]) -> None:
    on_hand: dict[int, int] = defaultdict(int)
    allocated: dict[int, int] = defaultdict(int)
    for movement in movements:
        on_hand[movement.variant_id] += movement.on_hand_delta
        allocated[movement.variant_id] += movement.allocated_delta
    query = select(Variant.id, Variant.on_hand, Variant.allocated).where(Variant.id.in_(on_hand))
    stock = [
        (row.id, row.on_hand + on_hand[row.id], row.allocated + allocated[row.id])
        for row in db.session.execute(query)
    ]
    update_rows(Variant, ("on_hand", "allocated"), stock)


_ORDER = (
    "id", "number", "user_id", "guest_token_hash", "status", "currency", "subtotal",
    "discount_total", "shipping_total", "tax_total", "total", "email", "shipping_address", "note",
    "placed_at", "updated_at", "lookup_words",
)  # fmt: skip
_LINE = (
    "order_id", "product_id", "variant_id", "sku", "name", "options", "unit_price", "quantity",
    "line_total",
)  # fmt: skip
_EVENT = ("order_id", "status", "at", "done_by", "note")


def _order_row(order: _PastOrder, currency: str) -> tuple[object, ...]:
    sums = pricing.totals((line.variant.price, line.quantity) for line in order.lines)
    number, address = new_order_number(), order.buyer.address
    articles = (Article(line.variant.name, line.variant.sku) for line in order.lines)
    guest = order.buyer.user_id is None
    return (
        order.id, number, order.buyer.user_id,
        hash_token(new_token()) if guest else None, order.status, currency, sums.subtotal,
        sums.discount_total, sums.shipping_total, sums.tax_total, sums.total, order.buyer.email,
        {"line2": "", "region": "", "postal_code": "", "phone": "", **address}, "",
        order.placed_at, order.steps()[-1][1],
        order_words.words_of(number, address, address["name"], articles),
    )  # fmt: skip


def _line_row(order: _PastOrder, line: _Line) -> tuple[object, ...]:
    variant = line.variant
    return (
        order.id, variant.product_id, variant.id, variant.sku, variant.name, variant.options,
        variant.price, line.quantity, pricing.line_total(variant.price, line.quantity),
    )  # fmt: skip


def _event_rows(order: _PastOrder) -> list[tuple[object, ...]]:
    actors = {"pending": "customer", "cancelled": "customer"}
    return [(order.id, step, at, actors.get(step, "staff"), "") for step, at in order.steps()]


def _movement_rows(order: _PastOrder) -> list[_Movement]:
    lines = sorted(order.lines, key=lambda line: line.variant.id)
    rows = []
    for step, at in order.steps():
        if step in _MOVES:
            reason, on_hand, allocated = _MOVES[step]
            rows += [
                _Movement(
                    variant.id, on_hand * quantity, allocated * quantity, reason, order.id, at
                )
                for variant, quantity in lines
            ]
    return rows

"""The demo shop: put in once, filled up on request, emptied on request.

Each verb takes the store's lock first, so that two who seed at once take turns: the second finds
what the first has made.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Table, delete, select, text, update

from app.db import bulk, database_roles
from app.domain.clock import utc_now
from app.domain.people.actor import SYSTEM
from app.extensions import db
from app.models import (
    AuditEvent,
    Base,
    Category,
    Order,
    OrderLine,
    Product,
    StockMovement,
    Store,
    Variant,
)
from app.services.audit import trail
from app.services.cache import catalogue_cache
from app.services.seeding import generated, orders, written

DEMO_CUSTOMER = ("demo@example.com", "shopswift demo shopper")
DEMO_ADMIN = ("demo-admin@example.com", "shopswift demo admin")
WRITTEN_ORDERS = 30


def is_seeded() -> bool:
    """Whether the demo shop is there, or somebody has taken one of its SKUs or addresses."""
    return written.is_there()


def products_there() -> int:
    """How many products there are, deleted ones included."""
    return generated.count()


def orders_there() -> int:
    """How many orders there are."""
    return orders.count()


def plant(currency: str, customer_hash: str, admin_hash: str, seed: int) -> bool:
    """Make the written part of the demo shop, all of it or nothing; False if it was there.

    The hashes are of the two demo passwords, made outside of the transaction.
    """
    _lock_store()
    if is_seeded():
        return False
    now = utc_now()
    written.add_people(customer_hash, admin_hash)
    written.add_catalogue(currency, written.add_categories(), now)
    orders.fill_up(orders.count() + WRITTEN_ORDERS, seed, currency, now)
    # Above all since it lets an admin in whose password everybody may know.
    trail.record(SYSTEM, "shop.seeded", None, {}, {"demo": "planted"})
    catalogue_cache.invalidate_catalogue()
    return True


def add_products(target: int, currency: str, seed: int, now: datetime) -> int:
    """Make a batch of products of those missing to `target`; how many there are then."""
    _lock_store()
    there = generated.fill_up(target, seed, currency, now)
    catalogue_cache.invalidate_catalogue()
    return there


def add_orders(target: int, currency: str, seed: int, now: datetime) -> int:
    """Make a batch of orders of those missing to `target`; how many there are then."""
    _lock_store()
    there = orders.fill_up(target, seed, currency, now)
    catalogue_cache.invalidate_catalogue()
    return there


def settle() -> None:
    """Let the database know how much there is now."""
    bulk.refresh_statistics(Product, Variant, Category, Order, OrderLine)


def empty() -> None:
    """Delete everything, the ledger too, except for the audit trail, which notes it, and the
    currency that the shop was opened with.

    Raises:
        NotOwner: on PostgreSQL only the owner of the tables may do this.
    """
    _lock_store()
    kept = (Store.__tablename__, AuditEvent.__tablename__)
    tables = [table for table in Base.metadata.sorted_tables if table.name not in kept]
    with database_roles.unprotected(db.session.connection(), StockMovement.__tablename__):
        _delete_rows(tables)
    trail.record(SYSTEM, "shop.emptied", None, {}, {"everything": "deleted"})
    catalogue_cache.invalidate_catalogue()


def _delete_rows(tables: Sequence[Table]) -> None:
    if db.session.connection().dialect.name == "postgresql":
        names = ", ".join(table.name for table in tables)
        db.session.execute(text(f"TRUNCATE {names}"))
        return
    # SQLite looks at each row on its own: a parent must not go before its child.
    db.session.execute(update(Category).values(parent_id=None))
    for table in reversed(tables):
        db.session.execute(delete(table))


def _lock_store() -> None:
    db.session.execute(select(Store.id).with_for_update())

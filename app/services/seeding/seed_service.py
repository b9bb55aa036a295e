"""The demo shop: created once, filled up and emptied on request.

Each operation locks the store's row first, so that of two seeds at once the second sees what the
first has created.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from sqlalchemy import Table, delete, select, text, update

from app.db import bulk, database_roles
from app.db.postgresql import is_postgresql
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
from app.services.messages import event_feed
from app.services.seeding import generated, orders, written

DEMO_CUSTOMER = ("demo@example.com", "shopswift demo shopper")
DEMO_ADMIN = ("demo-admin@example.com", "shopswift demo admin")
DEMO_SELLER = {
    "legal_name": "ShopSwift Demo Inc",
    "email": "shop@example.com",
    "address": {"line1": "12 Market Street", "postal_code": "97204", "city": "Portland"},
    "country": "US",
    "prices_include_tax": False,
}
"""Settings of the demo shop. Without them staff are asked for what mail and invoices need."""
WRITTEN_ORDERS = 30


@contextmanager
def _seeding() -> Iterator[None]:
    """Lock the store's row; in the end number the events of what was created, which tell nobody."""
    _lock_store()
    before = event_feed.highest_id()
    yield
    db.session.flush()
    event_feed.number_own(before)


@_seeding()
def create_demo(currency: str, customer_hash: str, admin_hash: str, seed: int) -> bool:
    """Create the hand-written part of the demo shop; return False if it exists already.

    The hashes are of the two demo passwords, computed outside of the transaction.
    """
    if written.exists():
        return False
    now = utc_now()
    written.add_people(customer_hash, admin_hash)
    written.add_catalogue(currency, written.add_categories(), now)
    orders.fill_up(orders.count() + WRITTEN_ORDERS, seed, currency, now)
    # Security needs to know: it creates an admin whose password is public.
    trail.record(SYSTEM, "shop.seeded", None, {}, {"demo": "planted"})
    catalogue_cache.invalidate_catalogue()
    return True


@_seeding()
def add_products(target: int, currency: str, seed: int, now: datetime) -> int:
    """Add a batch of the products that are missing to `target`; return how many there are then."""
    total = generated.fill_up(target, seed, currency, now)
    catalogue_cache.invalidate_catalogue()
    return total


@_seeding()
def add_orders(target: int, currency: str, seed: int, now: datetime) -> int:
    """Add a batch of the orders that are missing to `target`; return how many there are then."""
    total = orders.fill_up(target, seed, currency, now)
    catalogue_cache.invalidate_catalogue()
    return total


def update_statistics() -> None:
    """Refresh the database's statistics after many rows came in."""
    bulk.refresh_statistics(Product, Variant, Category, Order, OrderLine)


def empty() -> None:
    """Delete everything, the ledger too, but the audit trail, which records it, and the settings.

    Raises:
        NotOwner: on PostgreSQL only the owner of the tables may do this.
    """
    _lock_store()
    exempt = (Store.__tablename__, AuditEvent.__tablename__)
    tables = [table for table in Base.metadata.sorted_tables if table.name not in exempt]
    with database_roles.unprotected(db.session.connection(), StockMovement.__tablename__):
        _delete_rows(tables)
    trail.record(SYSTEM, "shop.emptied", None, {}, {"everything": "deleted"})
    catalogue_cache.invalidate_catalogue()


def _delete_rows(tables: Sequence[Table]) -> None:
    if is_postgresql():
        names = ", ".join(table.name for table in tables)
        db.session.execute(text(f"TRUNCATE {names}"))
        return
    # SQLite checks foreign keys row by row: a child has to be deleted before its parent.
    db.session.execute(update(Category).values(parent_id=None))
    for table in reversed(tables):
        db.session.execute(delete(table))


def _lock_store() -> None:
    db.session.execute(select(Store.id).with_for_update())

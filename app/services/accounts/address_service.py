"""Address books. Each customer sees and changes their own only."""

from sqlalchemy import Select, func, select

from app.db.paging import Page, Slice, SortKey, fetch_page, fetch_slice
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Address
from app.services import user_service

MAX_ADDRESSES = 100
"""So that one account cannot fill the database."""
OLDEST_FIRST = SortKey("oldest addresses", Address.id, Address.id)


def list_addresses(actor: Actor, page: int, per_page: int) -> Page[Address]:
    """The caller's addresses, oldest first."""
    return fetch_page(_own(actor), OLDEST_FIRST.order_by(), page, per_page)


def slice_of_addresses(actor: Actor, cursor: str, per_page: int) -> Slice[Address]:
    """The same after a cursor; an empty one starts. Raises Invalid."""
    return fetch_slice(_own(actor), OLDEST_FIRST, cursor, per_page)


def _own(actor: Actor) -> Select[Address]:
    return select(Address).where(Address.user_id == actor.user_id)


def get_address(actor: Actor, address_id: int) -> Address:
    """One of the caller's addresses.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    address: Address | None = None
    if address_id < 2**63:
        address = db.session.scalar(
            select(Address).where(Address.id == address_id, Address.user_id == actor.user_id)
        )
    if address is None:
        raise NotFound("address")
    return address


def add_address(actor: Actor, **fields: str) -> Address:
    """Add an address to the caller's book.

    Raises:
        Conflict: `too_many_addresses`.
    """
    user = user_service.lock_caller(actor)
    entries = select(func.count()).select_from(Address).where(Address.user_id == user.id)
    if (db.session.scalar(entries) or 0) >= MAX_ADDRESSES:
        raise Conflict("too_many_addresses", f"An address book holds {MAX_ADDRESSES} addresses.")
    address = Address(user_id=user.id, **fields)
    db.session.add(address)
    db.session.flush()
    return address


def update_address(actor: Actor, address_id: int, **changes: str) -> Address:
    """Change these fields; orders keep the address that they copied."""
    user_service.lock_caller(actor)
    address = get_address(actor, address_id)
    for name, value in changes.items():
        setattr(address, name, value)
    db.session.flush()
    return address


def remove_address(actor: Actor, address_id: int) -> None:
    """Remove an address from the caller's book."""
    user_service.lock_caller(actor)
    db.session.delete(get_address(actor, address_id))

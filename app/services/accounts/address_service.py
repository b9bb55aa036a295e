"""Address books. Each customer sees and changes their own only."""

from sqlalchemy import func, select

from app.db.paging import Page, fetch_page
from app.domain.people.actor import Actor
from app.errors import Conflict, NotFound
from app.extensions import db
from app.models import Address
from app.services import user_service

MAX_ADDRESSES = 100
"""So that one account cannot fill the database."""


def list_addresses(actor: Actor, page: int, per_page: int) -> Page[Address]:
    """The caller's addresses, oldest first."""
    query = select(Address).where(Address.user_id == actor.user_id)
    return fetch_page(query, [Address.id.asc()], page, per_page)


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

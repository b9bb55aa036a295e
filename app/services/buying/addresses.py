"""The postal addresses of an order: those that a buyer enters, and those of the address book."""

from sqlalchemy import select

from app.domain.people.buyer import Buyer
from app.errors import Invalid
from app.extensions import db
from app.models import Address

PostalAddress = dict[str, str]
ADDRESS_FIELDS = (
    "name", "line1", "line2", "city", "region", "postal_code", "country", "phone",
)  # fmt: skip


def find_address(
    buyer: Buyer, address: PostalAddress | None, address_id: int | None
) -> PostalAddress | None:
    """The address that is given, or an entry of the buyer's address book, with all fields.

    Raises:
        Invalid: on `address_id`, where there is no such entry.
    """
    if address is not None:
        return with_all_fields(address)
    if address_id is None:
        return None
    entry = db.session.scalar(
        select(Address).where(Address.id == address_id, Address.user_id == buyer.user_id)
    )
    if entry is None:
        raise Invalid({"address_id": ["There is no such address in your address book."]})
    return {field: getattr(entry, field) for field in ADDRESS_FIELDS}


def with_all_fields(address: PostalAddress | None) -> PostalAddress | None:
    """An address with all its fields, as orders store it."""
    if address is None:
        return None
    return {field: address.get(field) or "" for field in ADDRESS_FIELDS}

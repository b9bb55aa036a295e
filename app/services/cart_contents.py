"""What is in a cart, at today's prices and today's stock."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from sqlalchemy import ColumnElement, false, select

from app.domain import pricing
from app.domain.buyer import Buyer
from app.extensions import db
from app.models import Cart, CartLine, Product, Variant
from app.services.inventory_service import can_be_had


class Row(NamedTuple):
    """A line with what it is about."""

    line: CartLine
    variant: Variant
    product: Product


@dataclass(frozen=True)
class Item:
    """One line as clients see it; money in minor units, `available` units that can be had now."""

    id: int
    product_id: int
    variant_id: int
    sku: str
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: int
    line_total: int
    available: int


@dataclass(frozen=True)
class Notice:
    """Something about a line that the buyer should know before ordering."""

    code: str
    variant_id: int
    detail: str


@dataclass(frozen=True)
class Contents:
    """A cart as clients see it; `item_count` is in units, `subtotal` in minor units."""

    items: Sequence[Item] = ()
    item_count: int = 0
    subtotal: int = 0
    warnings: Sequence[Notice] = field(default=())


def owned_by(buyer: Buyer) -> ColumnElement[bool]:
    """The one cart of a customer, or of the holder of a guest's token."""
    if buyer.user_id is not None:
        return Cart.user_id == buyer.user_id
    if buyer.guest_token_hash is not None:
        return Cart.token_hash == buyer.guest_token_hash
    return false()


def rows_of(whose: ColumnElement[bool]) -> list[Row]:
    """The lines of a cart in the order in which they were added, each with its variant and product.

    Deleted products and variants are among them: what is in a cart does not vanish silently.
    """
    query = (
        select(CartLine, Variant, Product)
        .join(Cart, Cart.id == CartLine.cart_id)
        .join(Variant, Variant.id == CartLine.variant_id)
        .join(Product, Product.id == Variant.product_id)
        .where(whose)
        .order_by(CartLine.id)
        .execution_options(populate_existing=True)
    )
    return [Row(*row) for row in db.session.execute(query)]


def read(buyer: Buyer) -> Contents:
    """The buyer's cart, empty where there is none yet. One query, whatever its size."""
    rows = rows_of(owned_by(buyer))
    items = [_item(row) for row in rows]
    return Contents(
        items=items,
        item_count=sum(item.quantity for item in items),
        subtotal=pricing.totals((item.unit_price, item.quantity) for item in items).subtotal,
        warnings=[notice for row in rows for notice in _notices(row)],
    )


def _item(row: Row) -> Item:
    return Item(
        id=row.line.id,
        product_id=row.product.id,
        variant_id=row.variant.id,
        sku=row.variant.sku,
        name=row.product.name,
        options=row.variant.options,
        quantity=row.line.quantity,
        unit_price=row.variant.price,
        line_total=pricing.line_total(row.variant.price, row.line.quantity),
        available=can_be_had(row.variant, row.product),
    )


def _notices(row: Row) -> list[Notice]:
    variant_id, name = row.variant.id, row.product.name
    available = can_be_had(row.variant, row.product)
    found = []
    if available == 0:
        found.append(Notice("out_of_stock", variant_id, f"{name} cannot be had at present."))
    elif available < row.line.quantity:
        detail = f"Of {name} only {available} can be had at present."
        found.append(Notice("insufficient_stock", variant_id, detail))
    if row.line.price_seen != row.variant.price:
        detail = f"The price of {name} has changed since it was put into the cart."
        found.append(Notice("price_changed", variant_id, detail))
    return found

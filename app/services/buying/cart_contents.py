"""What is in a cart, at today's prices and today's stock."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Select, String, bindparam, func, select
from sqlalchemy.orm import load_only

from app.db.prepared import prepared, run
from app.domain import pricing
from app.domain.people.buyer import Buyer
from app.extensions import db
from app.models import Cart, CartLine, Product, Variant
from app.models.availability import AVAILABLE_QUANTITY


class Row(NamedTuple):
    """A line with what it is about."""

    line: CartLine
    variant: Variant
    product: Product


class Item(NamedTuple):
    """One line as clients see it; money in minor units, `available` units that can be had now."""

    id: int
    product_id: int
    variant_id: int
    sku: str
    name: str
    options: dict[str, str]
    quantity: int
    unit_price: int
    available: int
    price_seen: int
    slug: str
    images: list[dict[str, Any]]

    @property
    def line_total(self) -> int:
        """In minor units."""
        return pricing.line_total(self.unit_price, self.quantity)


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
    warnings: Sequence[Notice] = ()
    more: int = 0
    """Lines that are not among `items`; the figures count them, `warnings` does not."""


@dataclass(frozen=True)
class Page:
    """PER_PAGE lines of a cart, with the figures of the whole cart."""

    contents: Contents = Contents()
    number: int = 1
    pages: int = 1
    noticed: Sequence[int] = ()
    """The pages that have lines with warnings."""


class Figures(NamedTuple):
    """What the sums and the warnings of one line come from."""

    quantity: int
    unit_price: int
    available: int
    price_seen: int


PER_PAGE = 100
CUSTOMERS = Cart.user_id == bindparam("owner", type_=BigInteger())
GUESTS = Cart.token_hash == bindparam("owner", type_=String())


def owner_of(buyer: Buyer) -> int | str | None:
    """What the one cart of a buyer is found by; None for whom there can be none."""
    return buyer.user_id if buyer.user_id is not None else buyer.guest_token_hash


def rows_of(whose: ColumnElement[bool]) -> list[Row]:
    """The lines of a cart in the order in which they were added, each with its variant and product.

    Deleted products and variants are among them: what is in a cart does not vanish silently.
    """
    query = (
        _of_lines(select(CartLine, Variant, Product))
        .where(whose)
        .options(load_only(Product.name, Product.is_active, Product.deleted_at, raiseload=True))
        .execution_options(populate_existing=True)
    )
    return [Row(*row) for row in db.session.execute(query)]


def read(buyer: Buyer) -> Contents:
    """The buyer's cart, empty where there is none yet. One query, whatever its size."""
    owner = owner_of(buyer)
    if owner is None:
        return Contents()
    return _contents(run(_READ_CUSTOMERS if buyer.user_id else _READ_GUESTS, owner=owner))


def read_page(buyer: Buyer, number: int = 1) -> Page:
    """One page of the buyer's cart; past the end the last one.

    One query where all lines are on the first page, else two.
    """
    owner = owner_of(buyer)
    if owner is None:
        return Page()
    values = {"owner": owner, "limit": PER_PAGE + 1, "offset": (number - 1) * PER_PAGE}
    rows = run(_PAGE_OF_CUSTOMERS if buyer.user_id else _PAGE_OF_GUESTS, values).all()
    if number == 1 and len(rows) <= PER_PAGE:
        return Page(_contents(rows))
    figures = run(_FIGURES_OF_CUSTOMERS if buyer.user_id else _FIGURES_OF_GUESTS, owner=owner)
    lines = [Figures._make(row) for row in figures]
    pages = max(1, math.ceil(len(lines) / PER_PAGE))
    if number > pages:
        return read_page(buyer, pages)
    return _page(_contents(rows[:PER_PAGE]), lines, number, pages)


def _page(shown: Contents, lines: Sequence[Figures], number: int, pages: int) -> Page:
    whole = replace(
        shown,
        item_count=sum(line.quantity for line in lines),
        subtotal=pricing.totals((line.unit_price, line.quantity) for line in lines).subtotal,
        more=max(0, len(lines) - len(shown.items)),
    )
    noticed = {place // PER_PAGE + 1 for place, line in enumerate(lines) if _codes(line)}
    return Page(whole, number, pages, sorted(noticed))


def read_by_id(cart_id: int) -> Contents:
    """The same of a cart that is known already."""
    return _contents(run(_READ_BY_ID, cart_id=cart_id))


def count_units(buyer: Buyer) -> int:
    """How many units are in the buyer's cart; nothing is asked for whom there can be none."""
    owner = owner_of(buyer)
    if owner is None:
        return 0
    units = run(_COUNT_CUSTOMERS if buyer.user_id else _COUNT_GUESTS, owner=owner)
    return int(units.scalar() or 0)


# In the order of Item's fields: bare columns, since a cart is read with every change of it.
_ITEM = (
    CartLine.id,
    Product.id,
    Variant.id,
    Variant.sku,
    Product.name,
    Variant.options,
    CartLine.quantity,
    Variant.price,
    AVAILABLE_QUANTITY,
    CartLine.price_seen,
    Product.slug,
    Product.images,
)


def _of_lines(query: Any) -> Select[Any]:
    joined: Select[Any] = (
        query.join_from(CartLine, Variant, Variant.id == CartLine.variant_id)
        .join(Product, Product.id == Variant.product_id)
        .order_by(CartLine.id)
    )
    return joined


def _reading(cart_id: Any) -> Select[Any]:
    return prepared(_of_lines(select(*_ITEM)).where(CartLine.cart_id == cart_id))


def _reading_page(cart_id: Any) -> Select[Any]:
    query = _of_lines(select(*_ITEM)).where(CartLine.cart_id == cart_id)
    limit, offset = (bindparam(name, type_=BigInteger()) for name in ("limit", "offset"))
    return prepared(query.limit(limit).offset(offset))


def _reading_figures(cart_id: Any) -> Select[Any]:
    # In the order of Figures' fields.
    columns = (CartLine.quantity, Variant.price, AVAILABLE_QUANTITY, CartLine.price_seen)
    return prepared(_of_lines(select(*columns)).where(CartLine.cart_id == cart_id))


def _counting(whose: ColumnElement[bool]) -> Select[Any]:
    return prepared(select(func.sum(CartLine.quantity)).join(Cart).where(whose))


# The cart in a query of its own: there is less to plan for the database than in a join of four.
_OF_CUSTOMERS = select(Cart.id).where(CUSTOMERS).scalar_subquery()
_OF_GUESTS = select(Cart.id).where(GUESTS).scalar_subquery()
_READ_CUSTOMERS, _READ_GUESTS = _reading(_OF_CUSTOMERS), _reading(_OF_GUESTS)
_PAGE_OF_CUSTOMERS, _PAGE_OF_GUESTS = _reading_page(_OF_CUSTOMERS), _reading_page(_OF_GUESTS)
_FIGURES_OF_CUSTOMERS = _reading_figures(_OF_CUSTOMERS)
_FIGURES_OF_GUESTS = _reading_figures(_OF_GUESTS)
_READ_BY_ID = _reading(bindparam("cart_id", type_=BigInteger()))
_COUNT_CUSTOMERS, _COUNT_GUESTS = _counting(CUSTOMERS), _counting(GUESTS)


def _contents(rows: Iterable[Any]) -> Contents:
    items = [Item(*row) for row in rows]
    return Contents(
        items=items,
        item_count=sum(item.quantity for item in items),
        subtotal=pricing.totals((item.unit_price, item.quantity) for item in items).subtotal,
        warnings=[notice for item in items for notice in _notices(item)],
    )


def _notices(item: Item) -> list[Notice]:
    details = {
        "out_of_stock": f"{item.name} cannot be had at present.",
        "insufficient_stock": f"Of {item.name} only {item.available} can be had.",
        "price_changed": f"The price of {item.name} has changed since it was put into the cart.",
    }
    return [Notice(code, item.variant_id, details[code]) for code in _codes(item)]


def _codes(line: Item | Figures) -> list[str]:
    """The codes of the warnings about a line."""
    codes = []
    if line.available == 0:
        codes.append("out_of_stock")
    elif line.available < line.quantity:
        codes.append("insufficient_stock")
    if line.price_seen != line.unit_price:
        codes.append("price_changed")
    return codes

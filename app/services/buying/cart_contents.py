"""What is in a cart, at today's prices and today's stock."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Select,
    String,
    bindparam,
    func,
    select,
)
from sqlalchemy.orm import load_only

from app.db.prepared import prepared, run
from app.domain.people.buyer import Buyer
from app.domain.pricing import totals as pricing
from app.extensions import db
from app.models import Cart, CartLine, Product, Variant
from app.models.availability import AVAILABLE_QUANTITY
from app.services.pricing.setup import HAS_PROMOTIONS


class CartRow(NamedTuple):
    """A line with its variant and product, as entities that can be changed."""

    line: CartLine
    variant: Variant
    product: Product


class CartItem(NamedTuple):
    """A line as clients see it; money in minor units, `available` is `available_quantity`."""

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
    images: list[dict[str, object]]
    cart_id: int
    may_have_discounts: bool
    """Whether the shop has ever had promotions."""

    @property
    def line_total(self) -> int:
        """In minor units."""
        return pricing.line_total(self.unit_price, self.quantity)


@dataclass(frozen=True)
class CartWarning:
    """Something about a line that the buyer should know before ordering."""

    code: str
    variant_id: int
    detail: str


@dataclass(frozen=True)
class CartContents:
    """A cart as clients see it; `item_count` is in units, `subtotal` in minor units."""

    items: Sequence[CartItem] = ()
    item_count: int = 0
    subtotal: int = 0
    warnings: Sequence[CartWarning] = ()
    more: int = 0
    """Lines that are not among `items`; the sums include them, `warnings` does not."""

    @property
    def discounted_cart_id(self) -> int | None:
        """The id of the cart, if it may have discounts."""
        return next((item.cart_id for item in self.items if item.may_have_discounts), None)


@dataclass(frozen=True)
class CartPage:
    """PER_PAGE lines of a cart, with the sums of the whole cart."""

    contents: CartContents = CartContents()
    number: int = 1
    pages: int = 1
    pages_with_warnings: Sequence[int] = ()


class LineFigures(NamedTuple):
    """What the sums and the warnings of a line are computed from."""

    quantity: int
    unit_price: int
    available: int
    price_seen: int


PER_PAGE = 100
OF_CUSTOMER = Cart.user_id == bindparam("owner", type_=BigInteger())
OF_GUEST = Cart.token_hash == bindparam("owner", type_=String())


def owner_of(buyer: Buyer) -> int | str | None:
    """The value of `owner` in OF_CUSTOMER or OF_GUEST; None for a guest without a token."""
    return buyer.user_id if buyer.user_id is not None else buyer.guest_token_hash


def rows_of(condition: ColumnElement[bool]) -> list[CartRow]:
    """The lines of a cart in the order in which they were added.

    Lines of deleted products and variants are among them.
    """
    query = (
        _join(select(CartLine, Variant, Product))
        .where(condition)
        .options(load_only(Product.name, Product.is_active, Product.deleted_at, raiseload=True))
        .execution_options(populate_existing=True)
    )
    return [CartRow(*row) for row in db.session.execute(query)]


def read_cart(buyer: Buyer) -> CartContents:
    """The buyer's cart, empty where there is none yet. One query, whatever its size."""
    owner = owner_of(buyer)
    if owner is None:
        return CartContents()
    return _contents(run(_statements_for(buyer).items, owner=owner))


def read_cart_by_id(cart_id: int) -> CartContents:
    """A cart whose id is known."""
    return _contents(run(_ITEMS_BY_ID, cart_id=cart_id))


def read_cart_page(buyer: Buyer, number: int = 1) -> CartPage:
    """One page of the buyer's cart; past the end the last one.

    One query where all lines are on the first page, else two.
    """
    owner = owner_of(buyer)
    if owner is None:
        return CartPage()
    statements = _statements_for(buyer)
    values = {"owner": owner, "limit": PER_PAGE + 1, "offset": (number - 1) * PER_PAGE}
    rows = run(statements.page, values).all()
    if number == 1 and len(rows) <= PER_PAGE:
        return CartPage(_contents(rows))
    lines = [LineFigures._make(row) for row in run(statements.figures, owner=owner)]
    pages = max(1, math.ceil(len(lines) / PER_PAGE))
    if number > pages:
        return read_cart_page(buyer, pages)
    return _page(_contents(rows[:PER_PAGE]), lines, number, pages)


def count_units(buyer: Buyer) -> int:
    """How many units are in the buyer's cart."""
    owner = owner_of(buyer)
    if owner is None:
        return 0
    return int(run(_statements_for(buyer).units, owner=owner).scalar() or 0)


def _page(
    contents: CartContents, lines: Sequence[LineFigures], number: int, pages: int
) -> CartPage:
    with_sums = replace(
        contents,
        item_count=sum(line.quantity for line in lines),
        subtotal=pricing.totals((line.unit_price, line.quantity) for line in lines).subtotal,
        more=max(0, len(lines) - len(contents.items)),
    )
    warned = {place // PER_PAGE + 1 for place, line in enumerate(lines) if _warning_codes(line)}
    return CartPage(with_sums, number, pages, sorted(warned))


# In the order of CartItem's and LineFigures' fields. Bare columns, because a cart is read with
# every change of it.
_ITEM_COLUMNS = (
    CartLine.id, Product.id, Variant.id, Variant.sku, Product.name, Variant.options,
    CartLine.quantity, Variant.price, AVAILABLE_QUANTITY, CartLine.price_seen, Product.slug,
    Product.images, CartLine.cart_id, HAS_PROMOTIONS,
)  # fmt: skip
_FIGURE_COLUMNS = (CartLine.quantity, Variant.price, AVAILABLE_QUANTITY, CartLine.price_seen)


def _join(query: Any) -> Select[Any]:
    """The query of lines with their variants and products, in the order in which lines were added."""
    joined: Select[Any] = (
        query.join_from(CartLine, Variant, Variant.id == CartLine.variant_id)
        .join(Product, Product.id == Variant.product_id)
        .order_by(CartLine.id)
    )
    return joined


class _CartStatements(NamedTuple):
    """What is read of the cart of an `owner`."""

    items: Executable
    page: Executable
    figures: Executable
    units: Executable


def _statements(of_owner: ColumnElement[bool]) -> _CartStatements:
    # A subquery for the cart's id takes less planning than a join of four tables.
    in_cart = CartLine.cart_id == select(Cart.id).where(of_owner).scalar_subquery()
    items = _join(select(*_ITEM_COLUMNS)).where(in_cart)
    limit, offset = (bindparam(name, type_=BigInteger()) for name in ("limit", "offset"))
    return _CartStatements(
        items=prepared(items),
        page=prepared(items.limit(limit).offset(offset)),
        figures=prepared(_join(select(*_FIGURE_COLUMNS)).where(in_cart)),
        units=prepared(select(func.sum(CartLine.quantity)).where(in_cart)),
    )


_OF_CUSTOMER, _OF_GUEST = _statements(OF_CUSTOMER), _statements(OF_GUEST)
_BY_ID = CartLine.cart_id == bindparam("cart_id", type_=BigInteger())
_ITEMS_BY_ID = prepared(_join(select(*_ITEM_COLUMNS)).where(_BY_ID))


def _statements_for(buyer: Buyer) -> _CartStatements:
    return _OF_CUSTOMER if buyer.user_id is not None else _OF_GUEST


def _contents(rows: Iterable[Iterable[object]]) -> CartContents:
    items = [CartItem._make(row) for row in rows]
    return CartContents(
        items=items,
        item_count=sum(item.quantity for item in items),
        subtotal=pricing.totals((item.unit_price, item.quantity) for item in items).subtotal,
        warnings=[warning for item in items for warning in _warnings(item)],
    )


def _warnings(item: CartItem) -> list[CartWarning]:
    details = {
        "out_of_stock": f"{item.name} cannot be had at present.",
        "insufficient_stock": f"Of {item.name} only {item.available} can be had.",
        "price_changed": f"The price of {item.name} has changed since it was put into the cart.",
    }
    return [CartWarning(code, item.variant_id, details[code]) for code in _warning_codes(item)]


def _warning_codes(line: CartItem | LineFigures) -> list[str]:
    codes = []
    if line.available == 0:
        codes.append("out_of_stock")
    elif line.available < line.quantity:
        codes.append("insufficient_stock")
    if line.price_seen != line.unit_price:
        codes.append("price_changed")
    return codes

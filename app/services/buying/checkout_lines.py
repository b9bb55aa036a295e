"""The lines of a cart as they are priced and ordered, with their articles as they are now."""

from typing import NamedTuple

from sqlalchemy import BigInteger, bindparam, select

from app.db.prepared import prepared, run
from app.errors import Invalid
from app.models import CartLine, Product, Variant
from app.models.availability import AVAILABLE_QUANTITY
from app.services.buying import cart_service


class CheckoutLine(NamedTuple):
    """A line of the cart with its variant and product as they are now; `price` in minor units,
    `weight` in grams."""

    line_id: int
    quantity: int
    variant_id: int
    sku: str
    options: dict[str, str]
    price: int
    available: int
    product_id: int
    name: str
    category_id: int | None
    tax_class: str
    weight: int
    requires_shipping: bool


# In the order of CheckoutLine's fields.
_READ_LINES = prepared(
    select(
        CartLine.id, CartLine.quantity, Variant.id, Variant.sku, Variant.options,
        Variant.price, AVAILABLE_QUANTITY, Product.id, Product.name, Product.category_id,
        Product.tax_class, Variant.weight, Product.requires_shipping,
    )
    .join_from(CartLine, Variant, Variant.id == CartLine.variant_id)
    .join(Product, Product.id == Variant.product_id)
    .where(CartLine.cart_id == bindparam("cart_id", type_=BigInteger()))
    .order_by(Variant.id)
)  # fmt: skip
_READ_AND_LOCK_LINES = _READ_LINES.with_for_update(key_share=True, of=Variant)


def read_lines(cart_id: int, locks: bool = False) -> list[CheckoutLine]:
    """The lines of a cart that is to be ordered, in the order in which they were added.

    Args:
        locks: whether their variants are locked, in the order of their ids.

    Raises:
        Invalid: `cart_empty`, `cart_too_large`.
    """
    lines = list_lines(cart_id, locks)
    if not lines:
        raise cart_empty()
    if len(lines) > cart_service.MAX_LINES:
        detail = f"An order has room for {cart_service.MAX_LINES} lines."
        raise Invalid(code="cart_too_large", detail=detail)
    return lines


def list_lines(cart_id: int, locks: bool = False) -> list[CheckoutLine]:
    """The lines of a cart, however many they are: two carts that were merged may be more than an order."""
    rows = run(_READ_AND_LOCK_LINES if locks else _READ_LINES, cart_id=cart_id).all()
    return sorted(CheckoutLine._make(row) for row in rows)


def cart_empty() -> Invalid:
    """The refusal to order nothing."""
    return Invalid(code="cart_empty", detail="The cart is empty.")

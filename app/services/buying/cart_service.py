"""Carts: fill, change, empty, and merge a guest's at login.

Every write locks the cart's row first, so that edits, merges and checkouts of one cart happen one
after the other. Being in a cart reserves nothing.
"""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, bindparam, delete, select, update

from app.db import cleanup
from app.db.prepared import insert_values, prepared, run, upsert
from app.domain.catalogue.variant_rules import VariantRequired
from app.domain.clock import utc_now
from app.domain.people.buyer import Buyer
from app.domain.people.tokens import hash_token, new_token
from app.domain.pricing.codes import MAX_CODES
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models import MAX_QUANTITY, Cart, CartCode, CartLine, Product, Variant
from app.models.availability import IS_PURCHASABLE, available_quantity
from app.services import user_service
from app.services.buying import cart_contents
from app.services.buying.cart_contents import (
    OF_CUSTOMER,
    OF_GUEST,
    CartContents,
    CartItem,
    CartRow,
    owner_of,
)
from app.services.inventory.inventory_service import OutOfStock, StockRequest

MAX_LINES = 5_000
MAX_GUEST_LINES = 2_000
"""Guests leave most of their carts behind, so these may hold less."""
GUEST_CART_LIFETIME = timedelta(days=90)
"""How long an unchanged cart of a guest is stored; a customer's has no limit."""

# UPDATE instead of FOR UPDATE: it locks the row, returns its id and records the change at once.
_LOCK = prepared(update(Cart).values(updated_at=bindparam("now")).returning(Cart.id))
_LOCK_OF_CUSTOMER, _LOCK_OF_GUEST = _LOCK.where(OF_CUSTOMER), _LOCK.where(OF_GUEST)
_COLUMNS = ("user_id", "token_hash", "created_at", "updated_at")
_OPEN = prepared(insert_values(Cart, *_COLUMNS).returning(Cart.id))
_CLEAR = prepared(delete(CartLine).where(CartLine.cart_id == bindparam("cart_id")))
_CLEAR_CODES = prepared(delete(CartCode).where(CartCode.cart_id == bindparam("cart_id")))


class ChangedLine(NamedTuple):
    """A line of a cart to which units were added, and its quantity now."""

    variant_id: int
    quantity: int


def lock_cart(buyer: Buyer) -> int | None:
    """The id of the buyer's cart, marked as changed and locked until the commit; None while there
    is none."""
    owner = owner_of(buyer)
    if owner is None:
        return None
    statement = _LOCK_OF_CUSTOMER if buyer.user_id is not None else _LOCK_OF_GUEST
    cart_id: int | None = run(statement, owner=owner, now=utc_now()).scalar()
    return cart_id


def add_item(
    buyer: Buyer,
    quantity: int,
    product_id: int | None = None,
    variant_id: int | None = None,
    may_open: Callable[[], None] = lambda: None,
) -> tuple[Buyer, CartContents]:
    """Put units of a variant into the buyer's cart, adding to those that are there.

    The line is written first and checked by what the cart holds then; a refusal is rolled back.

    Args:
        may_open: is called before a guest's cart is opened, and raises if it must not be.

    Returns:
        The buyer, with a new token where a guest's cart was opened; and what is in the cart now.

    Raises:
        NotFound: there is no such product or variant, or it cannot be bought.
        Invalid: `variant_required`; or more than MAX_QUANTITY in the line.
        OutOfStock: more than is available now.
        Conflict: `cart_full`.
        Unauthenticated: the account was closed since the request came in.
    """
    if quantity > MAX_QUANTITY:
        raise _too_many()
    cart_id = lock_cart(buyer)
    if cart_id is None:
        buyer, cart_id = _open_cart(buyer, may_open)
    lines = _add(cart_id, quantity, product_id, variant_id)
    if len(lines) != 1:
        _refuse_article(product_id, variant_id)
        raise _too_many()
    contents = cart_contents.read_cart_by_id(cart_id)
    item = next(item for item in contents.items if item.variant_id == lines[0].variant_id)
    if variant_id is None and _may_be_one_of_several(item, contents, quantity):
        _refuse_article(product_id, None)
    if lines[0].quantity == quantity:  # a new line
        _refuse_full_cart(buyer, len(contents.items))
    _refuse_shortage(StockRequest(item.variant_id, item.sku, item.quantity, item.available))
    return buyer, contents


def _refuse_full_cart(buyer: Buyer, line_count: int) -> None:
    room = MAX_LINES if buyer.user_id else min(MAX_GUEST_LINES, MAX_LINES)
    if line_count > room:
        hint = "" if buyer.user_id else " Sign in to add more."
        raise Conflict("cart_full", f"A cart has room for {room:,} different articles.{hint}")


def change_item(buyer: Buyer, item_id: int, quantity: int) -> CartContents:
    """Set the quantity of one line; 0 removes it. Returns what is in the cart then.

    Raises:
        NotFound: the buyer's cart has no such line.
        OutOfStock: more than is available now.
    """
    cart_id, row = _find_item(buyer, item_id)
    if quantity == 0:
        db.session.delete(row.line)
    else:
        _write(row, quantity)
    db.session.flush()
    return cart_contents.read_cart_by_id(cart_id)


def empty_cart(buyer: Buyer) -> None:
    """Remove every line."""
    cart_id = lock_cart(buyer)
    if cart_id is not None:
        clear(cart_id)


def clear(cart_id: int, has_codes: bool = False) -> None:
    """Remove every line of a locked cart, and its codes if it has any."""
    run(_CLEAR, cart_id=cart_id)
    if has_codes:
        run(_CLEAR_CODES, cart_id=cart_id)


def merge_guest_cart(token: str, user_id: int) -> None:
    """Move a guest's cart into the customer's, and delete it.

    Quantities of the same variant are added up to what is available now, and never fall below what
    the customer had. An unknown token changes nothing. Both carts are locked in the order of
    their ids.
    """
    guest_id = db.session.scalar(select(Cart.id).where(Cart.token_hash == hash_token(token)))
    if guest_id is None:
        return
    own_id = _cart_id_of(user_id)
    carts = {
        cart.id: cart
        for cart in db.session.scalars(
            select(Cart)
            .where(Cart.id.in_([guest_id, own_id]))
            .order_by(Cart.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
    }
    # A parallel login may have merged it first.
    if guest_id in carts:
        _move_lines(carts[guest_id], carts[own_id])
        _move_codes(guest_id, own_id)
        db.session.delete(carts[guest_id])
        carts[own_id].updated_at = utc_now()
        db.session.flush()


def _open_cart(buyer: Buyer, may_open: Callable[[], None]) -> tuple[Buyer, int]:
    """Open the buyer's first cart.

    Returns:
        The buyer, a guest with a new token; and the id of the cart.
    """
    if buyer.user_id is None:
        may_open()
        buyer = Buyer(buyer.actor, new_token())
    else:
        user_service.lock_caller(buyer.actor)  # refuses an account that is being closed
    # Two first writes of one customer meet at the unique index: the later one is run afresh.
    now = utc_now()
    values = (buyer.user_id, buyer.guest_token_hash, now, now)
    cart_id: int = run(_OPEN, dict(zip(_COLUMNS, values, strict=True))).scalar_one()
    if buyer.user_id is None and cleanup.is_due(cart_id):
        is_expired = Cart.user_id.is_(None) & (Cart.updated_at < now - GUEST_CART_LIFETIME)
        cleanup.delete_batch(Cart, is_expired)
    return buyer, cart_id


def _add(
    cart_id: int, quantity: int, product_id: int | None, variant_id: int | None
) -> list[ChangedLine]:
    """The lines of a locked cart to which units were added: one for each variant that fits."""
    values: dict[str, object] = {"cart_id": cart_id, "quantity": quantity, "now": utc_now()}
    if product_id is not None:
        values["product_id"] = product_id
    if variant_id is not None:
        values["variant_id"] = variant_id
    rows = run(_ADD[product_id is not None, variant_id is not None], values)
    return [ChangedLine._make(row) for row in rows]


def _cart_id_of(user_id: int) -> int:
    own_id = db.session.scalar(select(Cart.id).where(Cart.user_id == user_id))
    if own_id is None:
        cart = Cart(user_id=user_id)
        db.session.add(cart)
        db.session.flush()
        own_id = cart.id
    return own_id


def _add_statement(by_product: bool, by_variant: bool, insert_into: Any) -> Any:
    """INSERT the purchasable variants that fit as lines of a cart, or add to the lines that exist.

    A line that would exceed MAX_QUANTITY is left as it is, and not returned.
    """
    variants = (
        select(
            bindparam("cart_id", type_=BigInteger()),
            Variant.id,
            bindparam("quantity", type_=BigInteger()),
            Variant.price,
            bindparam("now", type_=CartLine.created_at.type),
        )
        .join_from(Variant, Product, Product.id == Variant.product_id)
        .where(IS_PURCHASABLE)
    )
    if by_product:
        variants = variants.where(Product.id == bindparam("product_id"))
    if by_variant:
        variants = variants.where(Variant.id == bindparam("variant_id"))
    columns = ["cart_id", "variant_id", "quantity", "price_seen", "created_at"]
    statement = insert_into(CartLine).from_select(columns, variants)
    total = CartLine.quantity + statement.excluded.quantity
    return statement.on_conflict_do_update(
        index_elements=["cart_id", "variant_id"],
        set_={"quantity": total, "price_seen": statement.excluded.price_seen},
        where=total <= MAX_QUANTITY,
    ).returning(CartLine.variant_id, CartLine.quantity)


_ADD = {
    by: upsert(partial(_add_statement, *by)) for by in ((True, False), (False, True), (True, True))
}


def _may_be_one_of_several(item: CartItem, contents: CartContents, quantity: int) -> bool:
    """Whether another variant of the product may be purchasable, too, and was not written because
    its line is full."""
    return any(
        other.product_id == item.product_id
        and other.id != item.id
        and other.quantity + quantity > MAX_QUANTITY
        for other in contents.items
    )


def _refuse_shortage(request: StockRequest) -> None:
    if request.available < request.requested:
        raise OutOfStock([request])


def _too_many() -> Invalid:
    return Invalid({"quantity": [f"At most {MAX_QUANTITY} of one article."]})


def _write(row: CartRow, quantity: int) -> None:
    if quantity > MAX_QUANTITY:
        raise _too_many()
    available = available_quantity(row.variant, row.product)
    _refuse_shortage(StockRequest(row.variant.id, row.variant.sku, quantity, available))
    row.line.quantity = quantity
    row.line.price_seen = row.variant.price


def _refuse_article(product_id: int | None, variant_id: int | None) -> None:
    """Raise what is wrong with an article that cannot be put into a cart, as `add_item` does."""
    query = (
        select(Variant.id, Variant.product_id)
        .join(Product, Product.id == Variant.product_id)
        .where(IS_PURCHASABLE)
        .limit(2)
    )
    named = Product.id == product_id if variant_id is None else Variant.id == variant_id
    rows = db.session.execute(query.where(named)).all()
    if not rows:
        raise NotFound("product" if variant_id is None else "variant")
    if len(rows) > 1:
        raise VariantRequired()
    if product_id not in (None, rows[0].product_id):
        raise Invalid({"variant_id": ["This variant belongs to another product."]})


def _find_item(buyer: Buyer, item_id: int) -> tuple[int, CartRow]:
    cart_id = lock_cart(buyer)
    if cart_id is not None:
        rows = cart_contents.rows_of((CartLine.cart_id == cart_id) & (CartLine.id == item_id))
        if rows:
            return cart_id, rows[0]
    raise NotFound("item in this cart")


def _move_lines(guest: Cart, own: Cart) -> None:
    own_rows = {row.variant.id: row for row in cart_contents.rows_of(CartLine.cart_id == own.id)}
    for row in cart_contents.rows_of(CartLine.cart_id == guest.id):
        if row.variant.id in own_rows:
            _add_up(own_rows[row.variant.id], row.line.quantity)
            db.session.delete(row.line)
        else:
            row.line.cart_id = own.id
    db.session.flush()  # before the guest's cart is deleted with the lines that are still in it


def _move_codes(guest_id: int, own_id: int) -> None:
    """Move the guest's codes that the customer's cart does not have, as far as it has room for them."""
    query = select(CartCode.id, CartCode.code_key).order_by(CartCode.id)
    own = {row.code_key for row in db.session.execute(query.where(CartCode.cart_id == own_id))}
    rows = db.session.execute(query.where(CartCode.cart_id == guest_id)).all()
    new = [row.id for row in rows if row.code_key not in own][: MAX_CODES - len(own)]
    db.session.execute(
        update(CartCode).where(CartCode.id.in_(new)).values(cart_id=own_id),
        execution_options={"synchronize_session": False},
    )


def _add_up(own: CartRow, more: int) -> None:
    quantity = own.line.quantity
    limit = max(quantity, available_quantity(own.variant, own.product))
    own.line.quantity = min(quantity + more, limit, MAX_QUANTITY)

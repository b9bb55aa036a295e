"""Carts: filled, changed, emptied, and merged at login.

Every write locks the cart's row first, so that edits, merges and checkouts of one cart happen one
after the other. Being in a cart reserves nothing.
"""

from datetime import timedelta

from sqlalchemy import delete, func, select

from app.domain.buyer import Buyer
from app.domain.clock import utc_now
from app.domain.tokens import hash_token, new_token
from app.domain.variant_rules import VariantRequired
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models import MAX_QUANTITY, Cart, CartLine, Product, Variant
from app.services import cart_contents, user_service
from app.services.cart_contents import Contents, Row, owned_by
from app.services.inventory_service import OutOfStock, can_be_had, shortage
from app.services.sweeping import sweep

MAX_LINES = 5_000
GUEST_CARTS_KEPT = timedelta(days=90)
"""For how long a guest's cart waits without a change; a customer's waits for ever."""


def lock_cart(buyer: Buyer) -> Cart | None:
    """The buyer's cart, locked until the commit; None while there is none."""
    cart: Cart | None = db.session.scalar(
        select(Cart)
        .where(owned_by(buyer))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return cart


def add_item(
    buyer: Buyer, quantity: int, product_id: int | None = None, variant_id: int | None = None
) -> tuple[Buyer, Contents]:
    """Put units of a variant into the buyer's cart, adding to those that are there.

    Returns:
        The buyer, with a new token where a guest's cart was opened; and what is in the cart now.

    Raises:
        NotFound: there is no such product or variant, or it is not on offer.
        Invalid: `variant_required`; or more than MAX_QUANTITY in the line.
        OutOfStock: more than can be had now.
        Conflict: `cart_full`.
        Unauthenticated: the account was closed since the request came in.
    """
    variant, product = _find_article(product_id, variant_id)
    buyer, cart = _open_cart(buyer)
    line = db.session.scalar(
        select(CartLine)
        .where(CartLine.cart_id == cart.id, CartLine.variant_id == variant.id)
        .execution_options(populate_existing=True)
    )
    if line is None:
        _refuse_full(cart)
        line = CartLine(cart_id=cart.id, variant_id=variant.id, quantity=0)
    _write(Row(line, variant, product), line.quantity + quantity)
    db.session.add(line)
    _touch(cart)
    return buyer, cart_contents.read(buyer)


def change_item(buyer: Buyer, item_id: int, quantity: int) -> Contents:
    """Set the quantity of one line; 0 removes it. The answer is what is in the cart then.

    Raises:
        NotFound: the buyer's cart has no such line.
        OutOfStock: more than can be had now.
    """
    cart, row = _find_item(buyer, item_id)
    if quantity == 0:
        db.session.delete(row.line)
    else:
        _write(row, quantity)
    _touch(cart)
    return cart_contents.read(buyer)


def empty_cart(buyer: Buyer) -> None:
    """Remove every line."""
    cart = lock_cart(buyer)
    if cart is not None:
        clear(cart)


def clear(cart: Cart) -> None:
    """Remove every line of a locked cart."""
    db.session.execute(
        delete(CartLine).where(CartLine.cart_id == cart.id),
        execution_options={"synchronize_session": False},
    )
    _touch(cart)


def merge_guest_cart(token: str, user_id: int) -> None:
    """Move a guest's cart into the customer's; from then on the token is dead.

    Quantities of the same variant are added up to what can be had now, and never fall below what
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
    # Gone by now where a parallel login was first.
    if guest_id in carts:
        _move_lines(carts[guest_id], carts[own_id])
        db.session.delete(carts[guest_id])
        _touch(carts[own_id])


def _open_cart(buyer: Buyer) -> tuple[Buyer, Cart]:
    cart = lock_cart(buyer)
    if cart is not None:
        return buyer, cart
    if buyer.user_id is None:
        sweep(Cart, Cart.user_id.is_(None) & (Cart.updated_at < utc_now() - GUEST_CARTS_KEPT))
        buyer = Buyer(buyer.actor, new_token())
    else:
        user_service.lock_caller(buyer.actor)  # an account that is being closed gets no new cart
    cart = Cart(user_id=buyer.user_id, token_hash=buyer.guest_token_hash)
    db.session.add(cart)
    # Two first writes of one customer meet at the unique index: the later one is run afresh.
    db.session.flush()
    return buyer, cart


def _cart_id_of(user_id: int) -> int:
    own_id = db.session.scalar(select(Cart.id).where(Cart.user_id == user_id))
    if own_id is None:
        cart = Cart(user_id=user_id)
        db.session.add(cart)
        db.session.flush()
        own_id = cart.id
    return own_id


def _touch(cart: Cart) -> None:
    cart.updated_at = utc_now()
    db.session.flush()


def _write(row: Row, quantity: int) -> None:
    if quantity > MAX_QUANTITY:
        raise Invalid({"quantity": [f"At most {MAX_QUANTITY} of one article."]})
    available = can_be_had(row.variant, row.product)
    if available < quantity:
        raise OutOfStock([shortage(row.variant.id, row.variant, quantity, available)])
    row.line.quantity = quantity
    row.line.price_seen = row.variant.price


def _refuse_full(cart: Cart) -> None:
    lines = db.session.scalar(
        select(func.count()).select_from(CartLine).where(CartLine.cart_id == cart.id)
    )
    if (lines or 0) >= MAX_LINES:
        raise Conflict("cart_full", f"A cart has room for {MAX_LINES} lines.")


def _find_article(product_id: int | None, variant_id: int | None) -> tuple[Variant, Product]:
    query = (
        select(Variant, Product)
        .join(Product, Product.id == Variant.product_id)
        .where(Variant.is_active, Variant.deleted_at.is_(None))
        .where(Product.is_active, Product.deleted_at.is_(None))
        .limit(2)
    )
    if variant_id is None:
        found = db.session.execute(query.where(Product.id == product_id)).all()
    else:
        found = db.session.execute(query.where(Variant.id == variant_id)).all()
    if not found:
        raise NotFound("product" if variant_id is None else "variant")
    if len(found) > 1:
        raise VariantRequired()
    variant, product = found[0]
    if product_id not in (None, product.id):
        raise Invalid({"variant_id": ["This variant belongs to another product."]})
    return variant, product


def _find_item(buyer: Buyer, item_id: int) -> tuple[Cart, Row]:
    cart = lock_cart(buyer)
    if cart is not None:
        rows = cart_contents.rows_of((Cart.id == cart.id) & (CartLine.id == item_id))
        if rows:
            return cart, rows[0]
    raise NotFound("item in this cart")


def _move_lines(guest: Cart, own: Cart) -> None:
    own_rows = {row.variant.id: row for row in cart_contents.rows_of(Cart.id == own.id)}
    for row in cart_contents.rows_of(Cart.id == guest.id):
        if row.variant.id in own_rows:
            _add_up(own_rows[row.variant.id], row.line.quantity)
            db.session.delete(row.line)
        else:
            row.line.cart_id = own.id
    # Before the guest's cart goes, and its remaining lines with it.
    db.session.flush()


def _add_up(own: Row, more: int) -> None:
    had = own.line.quantity
    reachable = max(had, can_be_had(own.variant, own.product))
    own.line.quantity = min(had + more, reachable, MAX_QUANTITY)

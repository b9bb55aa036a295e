"""Carts: filled, changed, emptied, and merged at login.

Every write locks the cart's row first, so that edits, merges and checkouts of one cart happen one
after the other. Being in a cart reserves nothing.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import BigInteger, FromClause, bindparam, delete, insert, select, true, update

from app.db import cleanup
from app.db.prepared import Chain, chain, prepared, run, run_chain
from app.domain.catalogue.variant_rules import VariantRequired
from app.domain.clock import utc_now
from app.domain.people.buyer import Buyer
from app.domain.people.tokens import hash_token, new_token
from app.errors import Conflict, Invalid, NotFound
from app.extensions import db
from app.models import MAX_QUANTITY, Cart, CartLine, Product, Variant
from app.services import user_service
from app.services.buying import cart_contents
from app.services.buying.cart_contents import CUSTOMERS, GUESTS, Contents, Item, Row, owner_of
from app.services.inventory.inventory_service import ON_OFFER, OutOfStock, can_be_had, shortage

MAX_LINES = 5_000
MAX_GUEST_LINES = 2_000
"""Guests leave most of their carts behind, so these may hold less."""
GUEST_CARTS_KEPT = timedelta(days=90)
"""For how long a guest's cart waits without a change; a customer's waits for ever."""

# An update rather than FOR UPDATE: it locks the row, tells its id and notes the change in one.
_LOCK = prepared(update(Cart).values(updated_at=bindparam("now")).returning(Cart.id))
_LOCK_CUSTOMERS, _LOCK_GUESTS = _LOCK.where(CUSTOMERS), _LOCK.where(GUESTS)
_NEW = {"user_id": "user_id", "token_hash": "token_hash", "created_at": "now", "updated_at": "now"}
_OPEN = insert(Cart).values({to: bindparam(given) for to, given in _NEW.items()}).returning(Cart.id)
CLEAR = prepared(delete(CartLine).where(CartLine.cart_id == bindparam("cart_id")))


def lock_cart(buyer: Buyer) -> int | None:
    """The id of the buyer's cart, marked as changed and locked until the commit; None while there
    is none."""
    owner = owner_of(buyer)
    if owner is None:
        return None
    locked = run(_LOCK_CUSTOMERS if buyer.user_id else _LOCK_GUESTS, owner=owner, now=utc_now())
    cart_id: int | None = locked.scalar()
    return cart_id


def add_item(
    buyer: Buyer,
    quantity: int,
    product_id: int | None = None,
    variant_id: int | None = None,
    may_open: Callable[[], None] = lambda: None,
) -> tuple[Buyer, Contents]:
    """Put units of a variant into the buyer's cart, adding to those that are there.

    Written first and judged by what is in the cart then: what is refused is rolled back.
    `may_open` is called before a guest's cart is opened, and raises if it must not be.

    Returns:
        The buyer, with a new token where a guest's cart was opened; and what is in the cart now.

    Raises:
        NotFound: there is no such product or variant, or it is not on offer.
        Invalid: `variant_required`; or more than MAX_QUANTITY in the line.
        OutOfStock: more than can be had now.
        Conflict: `cart_full`.
        Unauthenticated: the account was closed since the request came in.
    """
    if quantity > MAX_QUANTITY:
        raise _too_many()
    article = {"product": product_id, "variant": variant_id}
    buyer, written = _add(buyer, {**article, "quantity": quantity, "now": utc_now()}, may_open)
    if len(written) != 1:
        _find_article(product_id, variant_id)
        raise _too_many()
    contents = cart_contents.read_by_id(written[0].cart_id)
    item = next(item for item in contents.items if item.variant_id == written[0].variant_id)
    if variant_id is None and _may_be_one_of_several(item, contents, quantity):
        _find_article(product_id, None)
    is_new = written[0].quantity == quantity
    room = MAX_LINES if buyer.user_id else min(MAX_GUEST_LINES, MAX_LINES)
    if is_new and len(contents.items) > room:
        hint = "" if buyer.user_id else " Sign in to add more."
        raise Conflict("cart_full", f"A cart has room for {room:,} different articles.{hint}")
    _refuse_short(item)
    return buyer, contents


def change_item(buyer: Buyer, item_id: int, quantity: int) -> Contents:
    """Set the quantity of one line; 0 removes it. The answer is what is in the cart then.

    Raises:
        NotFound: the buyer's cart has no such line.
        OutOfStock: more than can be had now.
    """
    cart_id, row = _find_item(buyer, item_id)
    if quantity == 0:
        db.session.delete(row.line)
    else:
        _write(row, quantity)
    db.session.flush()
    return cart_contents.read_by_id(cart_id)


def empty_cart(buyer: Buyer) -> None:
    """Remove every line."""
    cart_id = lock_cart(buyer)
    if cart_id is not None:
        clear(cart_id)


def clear(cart_id: int) -> None:
    """Remove every line of a locked cart."""
    run(CLEAR, cart_id=cart_id)


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
        carts[own_id].updated_at = utc_now()
        db.session.flush()


def _add(
    buyer: Buyer, values: dict[str, Any], may_open: Callable[[], None]
) -> tuple[Buyer, Sequence[Any]]:
    """Add to the buyer's cart, which is locked from then on, or to a new one where there is none.

    Returns:
        The buyer, and what the articles' lines are now.
    """
    owner = owner_of(buyer)
    if owner is None:
        return _add_to_new(buyer, values, may_open)
    adding, owned = _adding_to("customer" if buyer.user_id else "guest", values), {"owner": owner}
    written = run_chain(adding, {**values, **owned})
    if written:
        return buyer, written
    if lock_cart(buyer) is None:
        return _add_to_new(buyer, values, may_open)
    # Either the article is refused, or the cart was opened only just now.
    return buyer, run_chain(adding, {**values, **owned})


def _add_to_new(
    buyer: Buyer, values: dict[str, Any], may_open: Callable[[], None]
) -> tuple[Buyer, Sequence[Any]]:
    if buyer.user_id is None:
        may_open()
        buyer = Buyer(buyer.actor, new_token())
    else:
        user_service.lock_caller(buyer.actor)  # an account that is being closed gets no new cart
    # Two first writes of one customer meet at the unique index: the later one is run afresh.
    owner = {"user_id": buyer.user_id, "token_hash": buyer.guest_token_hash}
    written = run_chain(_adding_to("new", values), {**values, **owner})
    if buyer.user_id is None and written and cleanup.is_time(written[0].cart_id):
        left = Cart.user_id.is_(None) & (Cart.updated_at < utc_now() - GUEST_CARTS_KEPT)
        cleanup.sweep(Cart, left)
    return buyer, written


def _adding_to(whose: str, values: dict[str, Any]) -> Chain:
    return _ADD[whose, values["product"] is not None, values["variant"] is not None]


def _cart_id_of(user_id: int) -> int:
    own_id = db.session.scalar(select(Cart.id).where(Cart.user_id == user_id))
    if own_id is None:
        cart = Cart(user_id=user_id)
        db.session.add(cart)
        db.session.flush()
        own_id = cart.id
    return own_id


def _adding(by_product: bool, by_variant: bool, insert_into: Any, cart: FromClause) -> Any:
    """A statement that adds units of each article on offer that fits; rightly there is one.

    None is written where a line would get more than MAX_QUANTITY.
    """
    articles = (
        select(
            cart.c.id,
            Variant.id,
            bindparam("quantity", type_=BigInteger()),
            Variant.price,
            bindparam("now", type_=CartLine.created_at.type),
        )
        .join_from(Variant, Product, Product.id == Variant.product_id)
        .join(cart, true())
        .where(ON_OFFER)
    )
    if by_product:
        articles = articles.where(Product.id == bindparam("product"))
    if by_variant:
        articles = articles.where(Variant.id == bindparam("variant"))
    columns = ["cart_id", "variant_id", "quantity", "price_seen", "created_at"]
    adding = insert_into(CartLine).from_select(columns, articles)
    total = CartLine.quantity + adding.excluded.quantity
    return adding.on_conflict_do_update(
        index_elements=["cart_id", "variant_id"],
        set_={"quantity": total, "price_seen": adding.excluded.price_seen},
        where=total <= MAX_QUANTITY,
    ).returning(CartLine.cart_id, CartLine.variant_id, CartLine.quantity)


_CARTS = {"customer": _LOCK_CUSTOMERS, "guest": _LOCK_GUESTS, "new": _OPEN}
_ADD = {
    (whose, *by): chain(cart, partial(_adding, *by))
    for whose, cart in _CARTS.items()
    for by in ((True, False), (False, True), (True, True))
}


def _may_be_one_of_several(item: Item, contents: Contents, quantity: int) -> bool:
    """Whether another variant of the product may be on offer too, and was not written because
    its line is full."""
    return any(
        other.product_id == item.product_id
        and other.id != item.id
        and other.quantity + quantity > MAX_QUANTITY
        for other in contents.items
    )


def _refuse_short(item: Item) -> None:
    if item.available < item.quantity:
        raise OutOfStock([shortage(item.variant_id, item.sku, item.quantity, item.available)])


def _too_many() -> Invalid:
    return Invalid({"quantity": [f"At most {MAX_QUANTITY} of one article."]})


def _write(row: Row, quantity: int) -> None:
    if quantity > MAX_QUANTITY:
        raise _too_many()
    available = can_be_had(row.variant, row.product)
    if available < quantity:
        raise OutOfStock([shortage(row.variant.id, row.variant.sku, quantity, available)])
    row.line.quantity = quantity
    row.line.price_seen = row.variant.price


def _find_article(product_id: int | None, variant_id: int | None) -> None:
    """Say what is wrong with an article that cannot be put into a cart.

    Raises: as `add_item` does.
    """
    query = (
        select(Variant.id, Product.id)
        .join(Product, Product.id == Variant.product_id)
        .where(ON_OFFER)
        .limit(2)
    )
    wanted = Product.id == product_id if variant_id is None else Variant.id == variant_id
    found = db.session.execute(query.where(wanted)).all()
    if not found:
        raise NotFound("product" if variant_id is None else "variant")
    if len(found) > 1:
        raise VariantRequired()
    if product_id not in (None, found[0][1]):
        raise Invalid({"variant_id": ["This variant belongs to another product."]})


def _find_item(buyer: Buyer, item_id: int) -> tuple[int, Row]:
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
    # Before the guest's cart goes, and its remaining lines with it.
    db.session.flush()


def _add_up(own: Row, more: int) -> None:
    had = own.line.quantity
    reachable = max(had, can_be_had(own.variant, own.product))
    own.line.quantity = min(had + more, reachable, MAX_QUANTITY)

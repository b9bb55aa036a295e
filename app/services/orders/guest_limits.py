"""Limits on what guests can hold without an account and without having paid.

An order reserves its units until staff cancel it, and a guest need not pay or prove an address to
place one. Without limits a single anonymous request can therefore take the whole stock. Limits
count pending guest orders of one network and of one email address (RFC 6177: an IPv6 customer has
up to a /48, so that is what is counted).

Two orders that are placed at the same time must not both pass, so the check runs in the order's own
transaction, after the order is written and while this transaction holds the locks of its network
and of its address. On PostgreSQL those are advisory locks (https://www.postgresql.org/docs/current/
explicit-locking.html#ADVISORY-LOCKS), taken in the
statement before the one that counts: a count sees what was committed before its own statement
began. SQLite has one writer at a time. Order of locks: cart, these, variants.

Adding up all open orders for every article would cost more the more are open. An order therefore
stores its largest quantity; their sum, read from an index, is an upper bound for every article. The
exact figures are read only where that bound is over the limit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Select,
    String,
    and_,
    bindparam,
    func,
    literal_column,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from app.db.prepared import prepared, run
from app.domain.people import emails
from app.domain.people.guest_limits import GuestLimits
from app.domain.people.networks import networks_of
from app.errors import Conflict
from app.keyed_hashes import keyed_hashes
from app.models import Order, OrderLine

Scope = Literal["network", "email"]
HashPairs = dict[Scope, tuple[str, str]]


@dataclass(frozen=True)
class GuestOrigin:
    """Where a guest's order comes from, and the limits that apply. Not used for customers."""

    address: str | None
    limits: GuestLimits


@dataclass(frozen=True)
class GuestKeys:
    """The keyed hashes by which a guest's open orders are found; the first of each is stored.

    There are several while SECRET_KEY_FALLBACKS holds an old key.
    """

    network: Sequence[str]
    email: Sequence[str]


class GuestLimitReached(Conflict):
    """A guest's order exceeds a limit; `sku` names the article, where the limit is of one."""

    def __init__(self, detail: str, maximum: int, sku: str | None = None) -> None:
        about = {"sku": sku} if sku else {}
        super().__init__("guest_limit", detail, maximum=maximum, **about)


def guest_keys(origin: GuestOrigin, email: str) -> GuestKeys:
    """Who counts as the holder of a guest's order."""
    networks = networks_of(origin.address)
    return GuestKeys(
        network=_hashes("guest network", networks[-1]) if networks else (),
        email=_hashes("guest email", emails.key(email)),
    )


COLUMNS = ("guest_network_hash", "guest_email_hash", "guest_units")


def columns(holder: GuestKeys | None, units: int) -> dict[str, str | int | None]:
    """What a new order stores to be counted by, by column; nothing of a customer's.

    Args:
        units: the largest quantity of one article.
    """
    if holder is None:
        return dict.fromkeys(COLUMNS)
    network = holder.network[0] if holder.network else None
    return dict(zip(COLUMNS, (network, holder.email[0], units), strict=True))


_LOCK_NAMES = ("guest_lock", "other_guest_lock")
LOCKS = [func.pg_advisory_xact_lock(bindparam(name, type_=BigInteger())) for name in _LOCK_NAMES]
"""Columns that take the locks of `lock_values` until the commit; a NULL takes none.
On SQLite the function does nothing (`app.db.sqlite`)."""


def lock_values(holder: GuestKeys | None) -> dict[str, int | None]:
    """The numbers of a holder's locks, in the order in which everybody takes them."""
    hashes = sorted([*holder.network[:1], holder.email[0]]) if holder else []
    numbers = [int(name[:16], 16) - 2**63 for name in hashes]
    return {name: numbers[n] if n < len(numbers) else None for n, name in enumerate(_LOCK_NAMES)}


def network_label(network_hash: str) -> str:
    """A short name for a network, which tells staff that two orders have the same one."""
    return network_hash[:8].upper()


def refuse_large_order(limits: GuestLimits, quantities: Sequence[tuple[str, int]]) -> None:
    """Check one order by itself, by SKUs and units of its lines; raises GuestLimitReached."""
    maximum = limits.order_units
    for sku, quantity in quantities:
        if maximum and quantity > maximum:
            detail = f"Without an account you can order {maximum} of {sku} at most. Sign in first."
            raise GuestLimitReached(detail, maximum, sku)


def refuse_too_much(order_id: int, holder: GuestKeys, limits: GuestLimits) -> None:
    """Check what the holder's open orders, this new one among them, come to together.

    The holder's locks are held. One statement as long as nobody is near a limit, however many
    lines and orders there are. Raises GuestLimitReached.
    """
    values: HashPairs = {"network": _pair(holder.network), "email": _pair(holder.email)}
    for row in run(_COUNT, _parameters(values)):
        scope: Scope = row.scope
        max_orders: int = getattr(limits, f"{scope}_orders")
        if max_orders and row.orders > max_orders:
            raise GuestLimitReached(_TOO_MANY_ORDERS[scope], max_orders)
        max_units: int = getattr(limits, f"{scope}_units")
        if max_units and row.units > max_units:
            _refuse_article(order_id, scope, values[scope], max_units)


def lock(holder: GuestKeys) -> None:
    """Take the holder's locks ahead of the statement that takes LOCKS.

    Call it before variants are locked: locks are taken in one order everywhere.
    """
    run(_LOCK, lock_values(holder))


def _refuse_article(order_id: int, scope: Scope, hashes: tuple[str, str], maximum: int) -> None:
    values = {"order_id": order_id, "maximum": maximum, **_parameters({scope: hashes})}
    row = run(_LARGEST_ARTICLE[scope], values).first()
    if row is not None:
        detail = _TOO_MANY_UNITS[scope].format(maximum=maximum, sku=row.sku)
        raise GuestLimitReached(detail, maximum, row.sku)


_TOO_MANY_ORDERS: dict[Scope, str] = {
    "network": "Too many orders from your network wait to be handled. Sign in to order.",
    "email": "Too many orders with this email address wait to be handled. Sign in to order.",
}
_TOO_MANY_UNITS: dict[Scope, str] = {
    "network": "Open orders without an account from your network can hold {maximum} of {sku} at most."
    " Sign in to order more.",
    "email": "Open orders without an account for one email address can hold {maximum} of {sku} at most."
    " Sign in to order more.",
}
_HASH_COLUMNS: dict[Scope, InstrumentedAttribute[str | None]] = {
    "network": Order.guest_network_hash,
    "email": Order.guest_email_hash,
}


def _hashes(purpose: str, text: str) -> list[str]:
    return [value.hex() for value in keyed_hashes(purpose, text)]


def _pair(hashes: Sequence[str]) -> tuple[str, str]:
    """The present hash and the one of the key before: the statements take two."""
    return (hashes[0], hashes[min(1, len(hashes) - 1)]) if hashes else ("", "")


def _parameters(values: HashPairs) -> dict[str, str]:
    return {
        f"{scope}_{place}": value
        for scope, pair in values.items()
        for place, value in enumerate(pair)
    }


def _is_open(scope: Scope) -> ColumnElement[bool]:
    # Literals, not parameters: the partial index is only used where its condition is known.
    names = [bindparam(f"{scope}_{place}", type_=String()) for place in (0, 1)]
    return and_(Order.status == literal_column("'pending'"), _HASH_COLUMNS[scope].in_(names))


def _count_of(scope: Scope) -> Select[Any]:
    units = func.coalesce(func.sum(Order.guest_units), 0)
    name: ColumnElement[Any] = literal_column(f"'{scope}'").label("scope")
    query: Select[Any] = select(name, func.count().label("orders"), units.label("units"))
    return query.where(_is_open(scope))


def _largest_article_of(scope: Scope) -> Executable:
    """The first article of an order of which the holder's open orders have too many units."""
    articles = select(OrderLine.variant_id).where(
        OrderLine.order_id == bindparam("order_id", type_=BigInteger())
    )
    units = func.sum(OrderLine.quantity)
    return (
        select(func.min(OrderLine.sku).label("sku"), units.label("units"))
        .join_from(OrderLine, Order, Order.id == OrderLine.order_id)
        .where(_is_open(scope), OrderLine.variant_id.in_(articles))
        .group_by(OrderLine.variant_id)
        .having(units > bindparam("maximum", type_=BigInteger()))
        .order_by(OrderLine.variant_id)
        .limit(1)
    )


_COUNT = prepared(_count_of("network").union_all(_count_of("email")))
_LARGEST_ARTICLE: dict[Scope, Executable] = {
    scope: _largest_article_of(scope) for scope in ("network", "email")
}
_LOCK = prepared(select(*LOCKS))

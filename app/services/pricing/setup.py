"""What of pricing the shop has set up: one statement says what else has to be read for an order."""

from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, SQLColumnExpression, bindparam, exists, select

from app.db.prepared import prepared, run
from app.models import CartCode, Promotion, ShippingMethod, Store, TaxRate


class PricingSetup(NamedTuple):
    """The shop's country and how its prices are meant, and which tables have something that counts."""

    country: str | None = None
    prices_include_tax: bool = True
    has_rates: bool = False
    has_methods: bool = False
    has_promotions: bool = False
    has_codes: bool = False
    """Whether the cart has codes."""


HAS_PROMOTIONS = exists().where(
    Promotion.is_active, Promotion.deleted_at.is_(None), Promotion.needs_code.is_(False)
)
"""Whether the shop has promotions that need no code."""


def codes_of(cart_id: SQLColumnExpression[int]) -> ColumnElement[bool]:
    """Whether a cart has codes."""
    return exists().where(CartCode.cart_id == cart_id)


_READ = prepared(
    select(
        Store.country,
        Store.prices_include_tax,
        exists().where(TaxRate.is_active),
        exists().where(ShippingMethod.is_active),
        HAS_PROMOTIONS,
        codes_of(bindparam("cart_id", type_=BigInteger())),
    )
)


def read_setup(cart_id: int) -> PricingSetup:
    """What has to be read to price this cart."""
    row = run(_READ, cart_id=cart_id).one_or_none()
    return PricingSetup._make(row) if row else PricingSetup()

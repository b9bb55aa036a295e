"""What of pricing the shop has set up: one statement says what else has to be read for an order."""

from typing import NamedTuple

from sqlalchemy import and_, exists, select

from app.db.prepared import prepared, run
from app.models import Promotion, ShippingMethod, Store


class PricingSetup(NamedTuple):
    """The shop's country and how its prices are meant, and which tables may have something that counts."""

    country: str | None = None
    prices_include_tax: bool = True
    has_rates: bool = False
    has_promotions: bool = False
    has_automatic_promotions: bool = False
    """Whether there are active promotions that need no code."""
    has_methods: bool = False
    """Whether there are active shipping methods, so that orders that are shipped need one."""


HAS_PROMOTIONS = select(Store.has_promotions).scalar_subquery()
"""Whether the shop has ever had promotions."""

HAS_AUTOMATIC = exists().where(
    Promotion.is_active, Promotion.deleted_at.is_(None), Promotion.needs_code.is_(False)
)
"""Whether the shop has active promotions that need no code."""
_READ = prepared(
    select(
        Store.country,
        Store.prices_include_tax,
        Store.has_tax_rates,
        Store.has_promotions,
        and_(Store.has_promotions, HAS_AUTOMATIC),
        and_(Store.has_shipping_methods, exists().where(ShippingMethod.is_active)),
    )
)


def depends_on_place() -> bool:
    """Whether what an order costs depends on where it goes."""
    setup = read_setup()
    return setup.has_rates or setup.has_methods


def read_setup() -> PricingSetup:
    """What has to be read to price a cart."""
    row = run(_READ).one_or_none()
    return PricingSetup._make(row) if row else PricingSetup()

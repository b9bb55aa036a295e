"""What the demo shop prices with: sales taxes, shipping, and a code for newcomers."""

from collections.abc import Sequence

from sqlalchemy import select

from app.domain.people.actor import SYSTEM
from app.domain.pricing.codes import code_key
from app.domain.pricing.model import Destination
from app.domain.pricing.starter_rates import STARTER_SETS
from app.extensions import db
from app.models import Promotion, PromotionCode, ShippingZone, TaxRate
from app.services.pricing import (
    promotion_codes,
    promotion_service,
    shipping_methods,
    shipping_zones,
    tax_rates,
)
from app.services.seeding.content import minor

CODE = "WELCOME10"
TAXES = (("CA", 7250), ("NY", 4000), ("TX", 6250), ("WA", 6500))
"""Sales taxes of some states, in thousandths of a percent, without those of their cities."""
EUROPE = sorted({rate.country for one in STARTER_SETS[:4] for rate in one.rates})
METHODS = {
    "United States": (
        ("Standard", "Ground, with tracking", "4.95", "75.00", 3, 5),
        ("Express", "By air, with a signature", "14.95", None, 1, 2),
    ),
    "Europe": (
        ("International", "With tracking, customs duties not included", "14.95", None, 5, 9),
    ),
    "Rest of the world": (("International", "Customs duties not included", "24.95", None, 7, 15),),
}
"""By zone: name, description, price in dollars, from which it is free, days."""


def exist() -> bool:
    """Whether the shop has any tax rate, zone or promotion."""
    return any(
        db.session.scalar(select(model.id).limit(1)) is not None
        for model in (TaxRate, ShippingZone, Promotion)
    )


def has_code() -> bool:
    """Whether the shop has the demo code."""
    query = select(PromotionCode.id).where(PromotionCode.code_key == code_key(CODE))
    return db.session.scalar(query) is not None


def add(currency: str) -> None:
    """Add the rates, zones with their methods, and the promotion with its code."""
    for region, rate in TAXES:
        tax_rates.create_rate(
            SYSTEM, {"name": "Sales tax", "country": "US", "region": region, "rate": rate}
        )
    places = {"United States": ["US"], "Europe": EUROPE, "Rest of the world": []}
    for name, countries in places.items():
        _add_zone(name, countries, currency)
    _add_promotion(currency)


def _add_zone(name: str, countries: Sequence[str], currency: str) -> None:
    zone = shipping_zones.create_zone(
        SYSTEM,
        {
            "name": name,
            "places": [Destination(country) for country in countries],
            "rest_of_world": not countries,
        },
    )
    for position, (method, description, price, free_from, first, last) in enumerate(METHODS[name]):
        shipping_methods.create_method(
            SYSTEM,
            {
                "zone_id": zone.id,
                "name": method,
                "description": description,
                "rates": [{"price": minor(price, currency)}],
                "free_from": minor(free_from, currency) if free_from else None,
                "min_days": first,
                "max_days": last,
                "position": position,
            },
            currency,
        )


def _add_promotion(currency: str) -> None:
    view = promotion_service.create_promotion(
        SYSTEM,
        {
            "name": "Welcome",
            "kind": "percentage",
            "value": "10",
            "needs_code": True,
            "limit_per_customer": 1,
        },
        currency,
    )
    promotion_codes.add_code(SYSTEM, view.promotion.id, CODE, limit_total=None)

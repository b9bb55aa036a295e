"""What an order would cost somewhere, for staff who set up shipping and taxes."""

from app.domain.pricing.engine import price
from app.domain.pricing.model import Destination, Pricing, PricingLine, PricingRequest
from app.services.pricing.setup import read_setup
from app.services.pricing.shipping_methods import methods_for
from app.services.pricing.tax_rates import rates_for


def try_out(destination: Destination, goods: int, grams: int) -> Pricing:
    """Price goods of one amount and weight that are shipped to a place, without promotions.

    Args:
        goods: in minor units, of the standard tax class.
        grams: what they weigh together.
    """
    setup = read_setup()
    line = PricingLine(
        1, product_id=0, category_ids=frozenset(), unit_price=goods, quantity=1, weight=grams
    )
    request = PricingRequest(
        lines=[line],
        methods=methods_for(destination),
        rates=rates_for(destination, setup.country),
        destination=destination,
        home_country=setup.country,
        prices_include_tax=setup.prices_include_tax,
    )
    return price(request)

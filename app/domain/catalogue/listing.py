"""What lists sort, filter and search a product by, worked out from the product itself."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from app.domain.text import fold, words


class Offer(NamedTuple):
    """What a variant contributes to its product's place in the lists; the price in minor units."""

    sku: str
    price: int
    is_active: bool = True


def derived(name: str, description: str, offers: Sequence[Offer]) -> dict[str, Any]:
    """The derived columns of a product: the lowest price of an active variant, the folded name,
    the words of name and SKUs, the words of the description. Without an active variant, all count.
    """
    counted = [offer for offer in offers if offer.is_active] or offers
    return {
        "price": min((offer.price for offer in counted), default=0),
        "name_key": fold(name)[:200],
        "search_title": " ".join(words(" ".join([name, *(offer.sku for offer in counted)]))),
        "search_body": " ".join(words(description)),
    }

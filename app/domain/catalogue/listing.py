"""The columns that lists sort, filter and search products by, computed from the product itself."""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.text import fold, words


class Offer(NamedTuple):
    """What a variant contributes to its product's place in the lists; the price in minor units."""

    sku: str
    price: int
    is_active: bool = True


class ListingColumns(NamedTuple):
    """The columns of a product that are computed from others, by their names."""

    price: int
    name_key: str
    search_title: str
    search_body: str


def listing_columns(name: str, description: str, offers: Sequence[Offer]) -> ListingColumns:
    """The lowest price, the folded name, the words of name and SKUs, those of the description.

    Only active variants count, or all of them where none is active.
    """
    active = [offer for offer in offers if offer.is_active] or offers
    return ListingColumns(
        price=min((offer.price for offer in active), default=0),
        name_key=fold(name)[:200],
        search_title=" ".join(words(" ".join([name, *(offer.sku for offer in active)]))),
        search_body=" ".join(words(description)),
    )

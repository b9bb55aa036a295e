"""The columns that lists sort, filter and search products by, computed from the product itself.

How names and words are folded may change from release to release. `search_title` therefore begins with
SEARCH_KEYS_MARK, which changes with it: `flask renew-search-keys` renews the columns of products whose
mark is another one. The mark is part of the text, and not a column of its own, so that the release before,
which knows of no mark, removes it when it writes the columns. It separates words, so nobody finds it.
"""

from collections.abc import Sequence
from typing import NamedTuple

from app.domain.catalogue.search_terms import stored_words
from app.domain.text import fold

SEARCH_KEYS_MARK = "| "
"""One more bar for each later version: `|| ` is the next. The partial index
`ix_products_outdated_search_keys` names the mark, too."""


class Offer(NamedTuple):
    """What a variant contributes to its product's place in the lists; the price in minor units."""

    sku: str
    price: int
    is_active: bool = True
    available: int = 0
    """Units that can be sold now."""


class ListingColumns(NamedTuple):
    """The columns of a product that are computed from others, by their names."""

    price: int
    name_key: str
    search_title: str
    search_body: str


def listing_columns(name: str, description: str, offers: Sequence[Offer]) -> ListingColumns:
    """The price from which the product can be bought, the folded name, the words of name and SKUs,
    those of the description.

    Only active variants count, or all of them where none is active.
    """
    active = [offer for offer in offers if offer.is_active] or offers
    return ListingColumns(
        price=_from_price(active),
        name_key=fold(name)[:200],
        search_title=SEARCH_KEYS_MARK
        + stored_words(" ".join([name, *(offer.sku for offer in active)])),
        search_body=stored_words(description),
    )


def _from_price(active: Sequence[Offer]) -> int:
    """The lowest price of what is in stock; of all, where nothing is."""
    in_stock = [offer.price for offer in active if offer.available > 0]
    return min(in_stock or [offer.price for offer in active], default=0)

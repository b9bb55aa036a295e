"""Renewal of the words by which staff find orders and customers, where another release wrote them or none.

A partial index holds the rows whose words are outdated, so that the renewal can stop at any moment and
go on later. It also renews what a server of the release before writes in between. `KINDS` names all tables
with such columns.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import ColumnElement, func, literal_column, select

from app.extensions import db
from app.models import Order, User
from app.models.word_index import OUTDATED_WORDS
from app.services import user_service
from app.services.catalogue import search_keys
from app.services.orders import order_words

_IS_OUTDATED: ColumnElement[bool] = literal_column(f"({OUTDATED_WORDS})")


class SearchKeys(Protocol):
    """The columns by which the rows of one table are searched."""

    BATCH: int

    def count_outdated(self, limit: int | None = None) -> int:
        """How many rows have columns of another version, counted up to `limit`."""

    def renew_batch(self, after: int) -> Sequence[int]:
        """Renew up to BATCH outdated rows with ids above `after`; returns their ids."""


@dataclass
class LookupWords:
    """The words of one table, with what `catalogue.search_keys` has for products."""

    table: type[Order] | type[User]
    renew: Callable[[Sequence[int]], None]
    BATCH: int = 500
    """Rows in one transaction."""

    def count_outdated(self, limit: int | None = None) -> int:
        """How many rows have outdated words, counted up to `limit`."""
        outdated = select(self.table.id).where(_IS_OUTDATED).limit(limit).subquery()
        return db.session.scalar(select(func.count()).select_from(outdated)) or 0

    def renew_batch(self, after: int) -> Sequence[int]:
        """Renew the words of up to BATCH outdated rows with ids above `after`; returns their ids.

        Rows that somebody changes at the moment are skipped. The others are locked before they are
        read, so that no change is overwritten.
        """
        query = select(self.table.id).where(_IS_OUTDATED, self.table.id > after)
        query = query.order_by(self.table.id).limit(self.BATCH)
        ids = list(db.session.scalars(query.with_for_update(key_share=True, skip_locked=True)))
        if ids:
            self.renew(ids)
        return ids


ORDERS = LookupWords(Order, order_words.renew)
CUSTOMERS = LookupWords(User, user_service.renew_words)
KINDS: Mapping[str, SearchKeys] = {
    "products": search_keys, "orders": ORDERS, "customers": CUSTOMERS,
}  # fmt: skip

"""A lane: the people and goods of one race after the other, which no other lane touches."""

import random
import time
from collections.abc import Callable
from typing import Any

from tests.reliability.history import Attempt
from tests.reliability.scenes.stage import Stage, at_once, code
from tests.reliability.shopper import Shopper

LEAD = 0.006
"""Seconds by which one of two may start before the other; a request takes about as long."""


class FalseStart(Exception):
    """What a race needs before it can begin was refused: that is a violation too."""


class Unheard(Exception):
    """An answer did not come, or was a 503: on a busy machine that may be, but tells nothing."""


class Lane:
    """Two customers with empty carts, a member of staff, and goods; of the rare one, one unit.

    Attributes:
        price: of the article `one` as it is now, in minor units.
    """

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.rng = random.Random(stage.rng.random())
        self.ann, self.bob = stage.customer(), stage.customer()
        self.staff = stage.owner
        self.one, self.other = stage.article(), stage.article()
        self.rare = stage.article(stock=1)
        self.price = stage.facts.prices[self.one.variant_id]

    def race(self, *calls: Callable[[], Attempt]) -> list[Attempt]:
        """What the calls answer when they are made together, or nearly.

        Raises:
            Unheard: one has no answer.
        """
        return [heard(attempt) for attempt in at_once([self._delayed(call) for call in calls])]

    def guest(self, account: Shopper) -> Shopper:
        """Somebody who has not signed in yet, but will under this account."""
        guest = self.stage.guest()
        guest.label, guest.email = account.label, account.email
        return guest

    def order(self, quantity: int = 1) -> Attempt:
        """An order of Ann's, with so many units of the article."""
        needed(self.ann.add_item(self.one.variant_id, quantity))
        return needed(self.checkout(self.ann)())

    def checkout(self, buyer: Shopper, **wishes: Any) -> Callable[[], Attempt]:
        """A call that turns the buyer's cart into an order."""
        purchase = buyer.purchase(**wishes)
        return lambda: buyer.insist(lambda: buyer.place_order(purchase))

    def contents(self, buyer: Shopper) -> dict[int, int]:
        """What is in a buyer's cart, units by variant; afterwards it is empty."""
        needed(buyer.read_cart())
        found = units(buyer.cart)
        if found:
            needed(buyer.empty_cart())
        return found

    def stock(self) -> int:
        """What can be sold of the article, as a shopper sees it."""
        seen = needed(self.ann.read_product(self.one.product_id, self.one.variant_id))
        stock: int = seen.answer["stock"]
        return stock

    def _delayed(self, call: Callable[[], Attempt]) -> Callable[[], Attempt]:
        pause = self.rng.choice((0.0, self.rng.uniform(0.0, LEAD)))

        def run() -> Attempt:
            time.sleep(pause)
            return call()

        return run


Race = Callable[[Lane], "str | None"]
"""Runs one race, and says what was wrong with its outcome."""


def needed(attempt: Attempt) -> Attempt:
    """An attempt that must succeed for the race to begin, or to be judged.

    Raises:
        FalseStart: it did not.
        Unheard: it has no answer.
    """
    if heard(attempt).outcome != "ok":
        raise FalseStart(f"{attempt.operation} was answered {attempt.status} {code(attempt)}")
    return attempt


def heard(attempt: Attempt) -> Attempt:
    """An attempt that has an answer.

    Raises:
        Unheard: it has none.
    """
    if attempt.outcome == "unknown":
        raise Unheard
    return attempt


def units(items: list[dict[str, Any]]) -> dict[int, int]:
    """The units of a cart or an order by variant."""
    return {item["variant_id"]: item["quantity"] for item in items}


def ending(attempt: Attempt) -> tuple[int | None, str | None]:
    """How an attempt ended: the status, and the word of a refusal."""
    return attempt.status, code(attempt) if attempt.outcome == "refused" else None

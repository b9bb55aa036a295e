"""More buyers than there are goods: all come at once, each for one unit."""

import time
from collections.abc import Iterator

from tests.reliability.history import Attempt
from tests.reliability.scenes.stage import Stage, at_once, code, in_turns, moment, rows
from tests.reliability.shopper import Shopper
from tests.reliability.violation import Violation

FILLERS = 16
"""Threads that fill the carts before the sale."""
ONE_ACCOUNT_IN = 5
"""Of so many buyers one has an account, the others are guests."""
CLOCKS_AGREE = 0.05
"""Seconds by which the wall clock may have been corrected against the monotonic one."""
SOLD = """
    SELECT orders.number, orders.note, orders.placed_at, order_lines.quantity
    FROM orders JOIN order_lines ON order_lines.order_id = orders.id
    WHERE order_lines.variant_id = :variant_id
"""
FIGURES = "SELECT on_hand, allocated FROM variants WHERE id = :variant_id"


class Sale:
    """Buyers with one unit each in their carts, and the last word that each was given."""

    def __init__(self, stage: Stage, buyers: int, stock: int) -> None:
        self.stage, self.stock = stage, stock
        self.article = stage.article(stock)
        self.buyers = [
            stage.guest() if index % ONE_ACCOUNT_IN else stage.customer() for index in range(buyers)
        ]
        variant_id = self.article.variant_id
        in_turns([lambda b=b: b.add_item(variant_id, 1) for b in self.buyers], FILLERS)
        self.last_words: list[Attempt] = []

    def hold(self) -> None:
        """All order at once, and again until each knows what became of it."""
        self.last_words = at_once([lambda b=b: _buy(b) for b in self.buyers])

    def judge(self) -> list[Violation]:
        """Whether everything was sold, to those who were told so, and not one unit more."""
        self._sold = rows(self.stage.setting, SOLD, variant_id=self.article.variant_id)
        return [*self._miscounted(), *self._misinformed(), *self._refused_early()]

    def _miscounted(self) -> Iterator[Violation]:
        units = sum(row.quantity for row in self._sold)
        if (len(self._sold), units) != (self.stock, self.stock):
            detail = f"{len(self._sold)} orders took {units} units of {self.stock}"
            yield Violation("not_exactly_sold", detail)
        (figures,) = rows(self.stage.setting, FIGURES, variant_id=self.article.variant_id)
        if tuple(figures) != (self.stock, self.stock):
            yield Violation("stock_does_not_add_up", f"on hand and allocated are {figures}")

    def _misinformed(self) -> Iterator[Violation]:
        for attempt in self.last_words:
            if attempt.outcome == "unknown":
                yield Violation("unresolved", f"order {attempt.key} has no answer", [attempt])
            elif attempt.outcome == "refused" and code(attempt) != "out_of_stock":
                yield Violation("wrong_refusal", f"told {code(attempt)}", [attempt])
        told = {attempt.answer["number"] for attempt in self.last_words if attempt.status == 201}
        there = {row.number for row in self._sold}
        if told != there:
            yield Violation("orders_differ", f"told and stored differ in {told ^ there}")

    def _refused_early(self) -> Iterator[Violation]:
        """Refusals that were over before the last unit went.

        An order's `placed_at` is taken while it holds its units, so that a refusal that is true
        ends after the last of them: nothing comes back in a sale.
        """
        began = time.time() - self.stage.setting.clock()
        last = max((moment(row.placed_at) for row in self._sold), default=0.0)
        for attempt in self.last_words:
            if attempt.status == 409 and began + attempt.end < last - CLOCKS_AGREE:
                yield Violation("refused_too_early", "sold out, while a unit was left", [attempt])


def _buy(buyer: Shopper) -> Attempt:
    purchase = buyer.purchase()
    attempt = buyer.insist(lambda: buyer.place_order(purchase))
    if attempt.outcome == "unknown":  # in a crowd whose connections were cut again and again
        attempt = buyer.insist(lambda: buyer.place_order(purchase))
    return attempt

"""Pretend shops with one fault each, of the kinds that real shops have had."""

from typing import Any

from tests.reliability.ledgers import Order
from tests.reliability.pretend.shop import Answer, Lines, PretendShop, Sent, name_of, refused


class NowAndThen(PretendShop):
    """Its fault shows once in so many chances, as faults of concurrency do."""

    EVERY = 5

    def __init__(self, prices: Lines, stock: Lines) -> None:
        super().__init__(prices, stock)
        self._chances = 0

    def strikes(self) -> bool:
        """Whether it is time again."""
        self._chances += 1
        return self._chances % self.EVERY == 0


class NoKey(PretendShop):
    """Takes every attempt for a new wish."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        self.keys.pop((name_of(sent), sent.key or ""), None)
        return super().place_order(sent)


class NoRowGuard(PretendShop):
    """Checkout believes in stock that somebody else has taken meanwhile."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        self.on_hand = {variant_id: units + 2 for variant_id, units in self.on_hand.items()}
        try:
            return super().place_order(sent)
        finally:
            self.on_hand = {variant_id: units - 2 for variant_id, units in self.on_hand.items()}


class AnswersBeforeCommit(NowAndThen):
    """Sometimes the commit does not come after the answer."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        status, answer, replayed = super().place_order(sent)
        if status == 201 and not replayed and self.strikes():
            order = self.orders.pop(answer["number"])
            self.keys.pop((name_of(sent), sent.key or ""))
            for line in order.lines:
                self.allocated[line.variant_id] -= line.quantity
            self.movements = [row for row in self.movements if row.order_id != order.id]
        return status, answer, replayed


class LedgerApart(NowAndThen):
    """The ledger is written in a second transaction, which does not always come."""

    def _book(self, *what: Any) -> None:
        if not (what[-1] and isinstance(what[-1], Order) and self.strikes()):
            super()._book(*what)


class CancelsTwice(PretendShop):
    """Cancels what is cancelled already, and returns the stock again."""

    def cancel(self, sent: Sent) -> Answer:
        order = self.orders.get(sent.about["number"])
        if order is not None and order.status == "cancelled":
            return 200, self.show_order(self.append_step(order, "cancelled", "customer"))
        return super().cancel(sent)


class CancelsForOthers(NowAndThen):
    """Cancels another order than the one that was named."""

    def cancel(self, sent: Sent) -> Answer:
        status, answer = super().cancel(sent)
        others = [order for order in self.orders.values() if order.status == "pending"]
        if status == 200 and others:
            self.append_step(others[0], "cancelled", "customer")
        return status, answer


class StalePrices(PretendShop):
    """Checkout takes prices from a cache, or from the client: those of the opening."""

    def __init__(self, prices: Lines, stock: Lines) -> None:
        super().__init__(prices, stock)
        self._first = dict(prices)

    def price_for(self, variant_id: int) -> int:
        return self._first[variant_id]


class FailsAfterCommit(NowAndThen):
    """A cache that fails after the commit is told as a refusal."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        status, answer, replayed = super().place_order(sent)
        if status == 201 and not replayed and self.strikes():
            return *refused(409, "out_of_stock", shortages=[]), False
        return status, answer, replayed


class LosesCartLines(NowAndThen):
    """Without the cart's lock, an edit overwrites another one."""

    EVERY = 12

    def add_item(self, sent: Sent) -> Answer:
        lines = self.carts.get(name_of(sent))
        if lines and self.strikes():
            lines.popitem()
        return super().add_item(sent)


class KeepsOrderedLines(NowAndThen):
    """Without the cart's lock, lines that were ordered stay, and are ordered again."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        before = dict(self.carts.get(name_of(sent), {}))
        status, answer, replayed = super().place_order(sent)
        if status == 201 and not replayed and self.strikes():
            self.carts[name_of(sent)] = before
        return status, answer, replayed


class OrdersOtherLines(NowAndThen):
    """Orders one more than what is in the cart."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        lines = self.carts.get(name_of(sent), {})
        if lines and self.strikes():
            lines[next(iter(lines))] += 1
        return super().place_order(sent)


class MergesOnlyNew(PretendShop):
    """At login a variant that is in both carts is not added up."""

    def login(self, sent: Sent) -> Answer:
        own = self.carts.setdefault(f"user:{sent.user}", {})
        for variant_id, more in self.carts.pop(f"guest:{sent.token}", {}).items():
            own.setdefault(variant_id, more)
        return 200, {}


class MergesTwice(PretendShop):
    """The guest's token stays alive, so that each sign-in adds the same again."""

    def login(self, sent: Sent) -> Answer:
        name = f"guest:{sent.token}"
        kept = dict(self.carts.get(name, {}))
        answer = super().login(sent)
        if sent.token:
            self.carts[name] = kept
            super().login(sent)
        return answer


class ForgetsTheGuest(PretendShop):
    """At login the guest's cart is gone."""

    def login(self, sent: Sent) -> Answer:
        self.carts.pop(f"guest:{sent.token}", None)
        return super().login(sent)


class ListsLag(PretendShop):
    """Lists come from a replica that does not have the newest order yet."""

    def list_orders(self, sent: Sent) -> Answer:
        status, answer = super().list_orders(sent)
        return status, {**answer, "items": answer["items"][1:]}


class SaysSoldOut(NowAndThen):
    """Tells of a sell-out by stale figures."""

    def add_item(self, sent: Sent) -> Answer:
        variant_id, wanted = sent.about["variant_id"], sent.about["quantity"]
        if self.strikes():
            short = {"variant_id": variant_id, "requested": wanted, "available": 0}
            return refused(409, "out_of_stock", shortages=[short])
        return super().add_item(sent)


class SaysEmpty(NowAndThen):
    """Refuses an order of a full cart as one of an empty one."""

    def place_order(self, sent: Sent) -> tuple[int, Any, bool]:
        fresh = (name_of(sent), sent.key or "") not in self.keys
        if fresh and self.carts.get(name_of(sent)) and self.strikes():
            return *refused(422, "cart_empty"), False
        return super().place_order(sent)


class ForgetsCancels(NowAndThen):
    """A cancel that was answered is undone by what another transaction had read."""

    def cancel(self, sent: Sent) -> Answer:
        order = self.orders.get(sent.about["number"])
        before = dict(self.allocated), list(self.movements)
        status, answer = super().cancel(sent)
        if status == 200 and order is not None:
            self.orders[order.number] = order
            self.allocated, self.movements = before
        return status, answer


class ForgetsPrices(NowAndThen):
    """A price that was changed is changed back by what another transaction had read."""

    def change_price(self, sent: Sent) -> Answer:
        if self.strikes():
            return 200, {}
        return super().change_price(sent)


FAULTY = (
    NoKey, NoRowGuard, AnswersBeforeCommit, LedgerApart, CancelsTwice, CancelsForOthers,
    StalePrices, FailsAfterCommit, LosesCartLines, KeepsOrderedLines, OrdersOtherLines,
    MergesOnlyNew, MergesTwice, ForgetsTheGuest, ListsLag, SaysSoldOut, SaysEmpty,
    ForgetsCancels, ForgetsPrices,
)  # fmt: skip

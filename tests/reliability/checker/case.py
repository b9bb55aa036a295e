"""One run under examination: history, books and facts, indexed once for all rules."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from tests.reliability.checker.askings import Asking, askings_of, attribute
from tests.reliability.checker.moments import Register, Written, last_moment, window_of
from tests.reliability.checker.stories import Story, tell
from tests.reliability.checker.tracks import Track, tracks_of
from tests.reliability.facts import WorldFacts
from tests.reliability.history import Attempt, History
from tests.reliability.ledgers import Books

Json = dict[str, Any]
TOLD_OF_ONE = ("place_order", "read_order", "cancel", "set_status")
"""Operations whose answer is an order."""
CART_ANSWERS = ("read_cart", "add_item", "change_item", "remove_item")
"""Operations whose answer is a cart."""


@dataclass(frozen=True)
class Sight:
    """An order as an answer showed it."""

    attempt: Attempt
    shown: Json


class Case:
    """What the rules look into. Everything is worked out once, when it is first asked for."""

    def __init__(self, history: History, books: Books, facts: WorldFacts) -> None:
        self.attempts = list(history)
        self.books = books
        self.facts = facts
        self._by_operation: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            self._by_operation[attempt.operation].append(attempt)

    def of(self, *operations: str) -> Iterator[Attempt]:
        """The attempts of these operations."""
        for operation in operations:
            yield from self._by_operation.get(operation, ())

    def ok(self, *operations: str) -> Iterator[Attempt]:
        """Those that were acknowledged, with an answer to look into."""
        return (a for a in self.of(*operations) if a.outcome == "ok" and a.answer is not None)

    @cached_property
    def by_user(self) -> dict[str, list[Attempt]]:
        """What each person did."""
        found: dict[str, list[Attempt]] = defaultdict(list)
        for attempt in self.attempts:
            found[attempt.user].append(attempt)
        return found

    @cached_property
    def users(self) -> dict[str, int]:
        """The ids of accounts by label: as the facts say, and as registration answered."""
        told = {attempt.user: attempt.answer["id"] for attempt in self.ok("register")}
        return {**told, **self.facts.users}

    @cached_property
    def order_ids(self) -> dict[str, int]:
        """Ids by number."""
        return {order.number: order.id for order in self.books.orders.values()}

    @cached_property
    def askings(self) -> list[Asking]:
        """All wishes for orders. Those that came to something know their orders."""
        return list(self._askings_and_origins[0])

    @cached_property
    def origins(self) -> dict[int, Asking]:
        """By order id: the asking that the order came of."""
        return self._askings_and_origins[1]

    @cached_property
    def _askings_and_origins(self) -> tuple[list[Asking], dict[int, Asking]]:
        askings = askings_of(self.of("place_order"))
        return askings, attribute(self.books, askings, self.users)

    @cached_property
    def stories(self) -> dict[int, Story]:
        """By order id: each step of its life, and when it was taken."""
        doers: dict[tuple[str, str], list[Attempt]] = defaultdict(list)
        for attempt in self.of("cancel"):
            doers[attempt.about["number"], "cancelled"].append(attempt)
        for attempt in self.of("set_status"):
            doers[attempt.about["number"], attempt.body["status"]].append(attempt)
        return {
            order.id: tell(order, self.origins.get(order.id), doers, self.facts.linger)
            for order in self.books.orders.values()
        }

    @cached_property
    def tracks(self) -> dict[int, Track]:
        """By variant id: the ledger as a line of states, and when each was reached."""
        return tracks_of(self.books, self.facts, self.stories, list(self.of("adjust_stock")))

    @cached_property
    def prices(self) -> dict[int, Register]:
        """By variant id: the prices that were in force, and when."""
        writes: dict[int, list[Written]] = defaultdict(list)
        for attempt in self.of("change_price"):
            if attempt.outcome != "refused":
                window = window_of([attempt], self.facts.linger)
                written = Written(attempt.about["price"], window, attempt.outcome == "ok")
                writes[attempt.about["variant_id"]].append(written)
        return {
            variant_id: Register(price, writes[variant_id])
            for variant_id, price in self.facts.prices.items()
        }

    @cached_property
    def sights(self) -> list[Sight]:
        """Every order in every answer."""
        return list(self._see())

    def _see(self) -> Iterator[Sight]:
        for attempt in self.ok(*TOLD_OF_ONE):
            yield Sight(attempt, attempt.answer)
        for attempt in self.ok("list_orders"):
            for shown in attempt.answer["items"]:
                yield Sight(attempt, shown)

    def last_moment(self, attempt: Attempt) -> float:
        """After this the attempt can no longer take effect."""
        return last_moment(attempt, self.facts.linger)

    def minor(self, amount: str) -> int | None:
        """Money as answers spell it, in minor units; None where it is spelt otherwise."""
        return minor(amount, self.facts.exponent)


def minor(amount: str, places: int) -> int | None:
    """`"49.00"` with two places is 4900."""
    whole, _, part = amount.partition(".")
    digits = whole + part
    return int(digits) if len(part) == places and digits.isascii() and digits.isdigit() else None


def refusal(attempt: Attempt) -> str:
    """The word of a problem's `code`; empty where there is none."""
    return attempt.answer.get("code", "") if isinstance(attempt.answer, dict) else ""


def brief(values: Iterable[object], limit: int = 5) -> str:
    """The first few of many, for a sentence."""
    some = [str(value) for value in values]
    return ", ".join(some[:limit]) + (f" and {len(some) - limit} more" if len(some) > limit else "")

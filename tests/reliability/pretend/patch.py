"""Faults planted into the history or the books of a clean run, which the checker has to find.

Each changes a run so that no shop that keeps the contract can have left it behind, and names the
violation that it has to be found by. It returns False where a run gives no occasion for it.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.reliability.history import Attempt, History
from tests.reliability.ledgers import Event, Movement, Order
from tests.reliability.pretend.run import Run

Plant = Callable[["Patch"], bool]
LATER = 1000.0
"""Seconds after everything."""


class Patch:
    """A run that can be changed, one attempt or order at a time."""

    def __init__(self, run: Run, rng: random.Random) -> None:
        self.books, self.facts, self.rng = run.books, run.facts, rng
        self.attempts = list(run.history)

    @property
    def history(self) -> History:
        """All attempts as they are now."""
        history = History()
        for attempt in self.attempts:
            history.append(attempt)
        return history

    def some(self, *operations: str, **wanted: Any) -> Attempt | None:
        """An attempt of these operations with these attributes, if there is one."""
        found = [
            attempt
            for attempt in self.attempts
            if attempt.operation in operations
            and all(getattr(attempt, name) == value for name, value in wanted.items())
        ]
        return self.rng.choice(found) if found else None

    def change(self, attempt: Attempt, **changes: Any) -> None:
        """Replace an attempt by another one."""
        self.attempts[self.attempts.index(attempt)] = replace(attempt, **changes)

    def repeat(self, attempt: Attempt, **changes: Any) -> None:
        """The same attempt again, after everything."""
        start = LATER + attempt.start
        self.attempts.append(replace(attempt, start=start, end=start + 1, **changes))

    def order_of(self, attempt: Attempt) -> Order:
        """The order that was answered."""
        number = attempt.answer["number"]
        return next(order for order in self.books.orders.values() if order.number == number)

    def change_order(self, order: Order, **changes: Any) -> Order:
        """Rewrite an order in the books."""
        self.books.orders[order.id] = replace(order, **changes)
        return self.books.orders[order.id]

    def move(self, variant_id: int, on_hand: int, allocated: int, order: Order | None) -> None:
        """Move stock, with ledger and figures in step."""
        row = Movement(
            10**6 + len(self.books.movements),
            variant_id, on_hand, allocated, "planted", order.id if order else None,
        )  # fmt: skip
        self.books.movements.append(row)
        variant = self.books.variants[variant_id]
        self.books.variants[variant_id] = replace(
            variant, on_hand=variant.on_hand + on_hand, allocated=variant.allocated + allocated
        )

    def forget(self, order: Order) -> None:
        """Take an order out of the books, and put its stock back."""
        del self.books.orders[order.id]
        rows = [row for row in self.books.movements if row.order_id == order.id]
        self.books.movements = [row for row in self.books.movements if row not in rows]
        self.books.keys = [key for key in self.books.keys if key.order_id != order.id]
        for row in rows:
            variant = self.books.variants[row.variant_id]
            self.books.variants[row.variant_id] = replace(
                variant,
                on_hand=variant.on_hand - row.on_hand,
                allocated=variant.allocated - row.allocated,
            )

    def copy(self, order: Order, note: str) -> Order:
        """Another order of the same, whole with its stock."""
        order_id = 10**6 + len(self.books.orders)
        event = Event(order_id, "pending", "customer")
        twin = replace(
            order, id=order_id, number=f"N{order_id}", note=note, status="pending", events=(event,)
        )
        self.books.orders[order_id] = twin
        for line in twin.lines:
            self.move(line.variant_id, line.quantity, 0, None)
            self.move(line.variant_id, 0, line.quantity, twin)
        return twin


class Plants(list[tuple[str, Plant]]):
    """Faults to plant, each with the violation by which it has to be found."""

    def found_as(self, name: str) -> Callable[[Plant], Plant]:
        """Take in a plant, which has to be found by this name."""

        def take_in(plant: Plant) -> Plant:
            self.append((name, plant))
            return plant

        return take_in

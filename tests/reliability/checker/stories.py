"""The life of each order: the steps that the books tell, with who may have done them, and when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.reliability.checker.askings import Asking
from tests.reliability.checker.moments import ALWAYS, Timeline, Window, window_of
from tests.reliability.history import Attempt
from tests.reliability.ledgers import Event, Order

FOLLOWS = {
    "pending": ("processing", "cancelled"),
    "processing": ("shipped", "cancelled"),
    "shipped": ("delivered",),
    "delivered": (),
    "cancelled": (),
}
"""The contract's status machine."""
OPERATION_OF = {"customer": "cancel", "staff": "set_status"}
"""How those asked whom an event names as its doer."""


@dataclass(frozen=True)
class Step:
    """A status that an order reached."""

    event: Event
    doers: Sequence[Attempt]
    """The attempts that may have done it: acknowledged, or nobody knows."""
    window: Window


@dataclass(frozen=True)
class Story:
    """An order's steps, from `pending` on."""

    order: Order
    steps: Sequence[Step]
    timeline: Timeline
    """Soundness: an order's row is locked for each step, and its events are numbered under that
    lock, so they were committed in the order of their ids."""

    @property
    def placed(self) -> Window:
        """When the order came into being."""
        return self.steps[0].window if self.steps else ALWAYS

    def statuses(self, start: float, end: float) -> list[str]:
        """The statuses that it may have had at some moment within the span.

        Before its first step an order has none, and nobody sees it.
        """
        least, most = self.timeline.possible(start, end)
        return [step.event.status for step in self.steps[max(0, least - 1) : most]]


def tell(
    order: Order,
    origin: Asking | None,
    doers: Mapping[tuple[str, str], Sequence[Attempt]],
    linger: float,
) -> Story:
    """The story of one order; `doers` are the attempts by (number, status)."""
    steps = []
    for index, event in enumerate(order.events):
        if index == 0:
            asked = origin.attempts if origin else []
        else:
            operation = OPERATION_OF.get(event.done_by)
            asked = [
                attempt
                for attempt in doers.get((order.number, event.status), ())
                if attempt.operation == operation
            ]
        may_have = [attempt for attempt in asked if attempt.outcome != "refused"]
        steps.append(Step(event, may_have, window_of(may_have, linger)))
    return Story(order, steps, Timeline(step.window for step in steps))

"""The statuses of an order, and which may follow which."""

from typing import Final, Literal, get_args

from app.errors import Conflict

OrderStatus = Literal["pending", "processing", "shipped", "delivered", "cancelled"]
STATUSES: Final[tuple[OrderStatus, ...]] = get_args(OrderStatus)

ALLOWED: Final[dict[OrderStatus, tuple[OrderStatus, ...]]] = {
    "pending": ("processing", "cancelled"),
    "processing": ("shipped", "cancelled"),
    "shipped": ("delivered",),
    "delivered": (),
    "cancelled": (),
}


class IllegalTransition(Conflict):
    """The order cannot change from its status to the target; `allowed` lists what it can change to."""

    def __init__(self, current: OrderStatus, target: OrderStatus) -> None:
        allowed = ALLOWED[current]
        hint = f"allowed: {', '.join(allowed)}" if allowed else "nothing follows it"
        super().__init__(
            "illegal_transition",
            f"An order that is {current} cannot become {target}; {hint}.",
            allowed=list(allowed),
        )


def check_transition(current: OrderStatus, target: OrderStatus) -> None:
    """Raise IllegalTransition unless `target` may follow `current`."""
    if target not in ALLOWED[current]:
        raise IllegalTransition(current, target)

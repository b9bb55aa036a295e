"""Who asked for which order: attempts under one key are one asking, however often it was sent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.reliability.history import Attempt
from tests.reliability.ledgers import Books, Order


@dataclass(eq=False)
class Asking:
    """One wish for one order, and all attempts to get it.

    An attempt without a key is an asking of its own if it was answered. Those of one person that
    were not share one: which of them made which order, nobody can tell.
    """

    user: str
    is_guest: bool
    key: str | None
    attempts: list[Attempt] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    """What the books say was made of it."""

    @property
    def accepted(self) -> list[Attempt]:
        """The attempts that were told of an order."""
        return [attempt for attempt in self.attempts if attempt.outcome == "ok"]

    def __str__(self) -> str:
        return f"{self.user}'s key {self.key}" if self.key else f"{self.user} without a key"


def askings_of(placements: Iterable[Attempt]) -> list[Asking]:
    """All askings in these attempts to place an order, in the order of their starts."""
    found: dict[object, Asking] = {}
    for attempt in placements:
        is_guest = bool(attempt.about.get("guest", False))
        name: object = (attempt.user, is_guest, attempt.key)
        if attempt.key is None and attempt.outcome != "unknown":
            name = id(attempt)
        asking = found.setdefault(name, Asking(attempt.user, is_guest, attempt.key))
        asking.attempts.append(attempt)
    return list(found.values())


def attribute(
    books: Books, askings: Iterable[Asking], users: Mapping[str, int]
) -> dict[int, Asking]:
    """For each order the asking that it came of, where there is one.

    What the shop wrote down decides: the key's own row; where that is missing the note, which by
    convention repeats the key; the number that was answered; and at last an attempt without a key
    by the same person.
    """
    clues = _Clues(askings, users)
    keys: dict[int, list[str]] = defaultdict(list)
    for row in books.keys:
        if row.order_id is not None:
            keys[row.order_id].append(row.key)
    found = {}
    for order in books.orders.values():
        asking = clues.lead_to(order, keys[order.id])
        if asking is not None:
            found[order.id] = asking
            asking.orders.append(order)
    return found


class _Clues:
    """The askings by all that an order can tell of where it came from."""

    def __init__(self, askings: Iterable[Asking], users: Mapping[str, int]) -> None:
        self._users = users
        self._by_key: dict[str, list[Asking]] = defaultdict(list)
        self._by_number: dict[str, list[Asking]] = defaultdict(list)
        self._keyless: list[Asking] = []
        for asking in askings:
            if asking.key is not None:
                self._by_key[asking.key].append(asking)
            elif asking.attempts[0].outcome == "unknown":
                self._keyless.append(asking)
            for attempt in asking.accepted:
                self._by_number[attempt.answer["number"]].append(asking)

    def lead_to(self, order: Order, keys: Iterable[str]) -> Asking | None:
        """The asking that the order came of."""
        candidates = [asking for key in (*keys, order.note) for asking in self._by_key.get(key, ())]
        candidates += self._by_number.get(order.number, ())
        return next(
            (asking for asking in candidates or self._keyless if self._fits(asking, order)), None
        )

    def _fits(self, asking: Asking, order: Order) -> bool:
        """Whether the order belongs to whoever asked. People whose id is not known fit any."""
        if asking.key is None and len(asking.orders) >= len(asking.attempts):
            return False
        if asking.is_guest:
            return order.user_id is None and _email_of(asking) in (None, order.email)
        return self._users.get(asking.user, order.user_id) == order.user_id


def _email_of(asking: Asking) -> str | None:
    """The address that a guest gave, who has no other name."""
    email: str | None = (asking.attempts[0].body or {}).get("email")
    return email

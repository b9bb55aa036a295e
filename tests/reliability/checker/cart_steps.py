"""What was done to carts, and what was seen in them, as steps that Search can put in order."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.reliability.checker.case import Case, refusal
from tests.reliability.history import Attempt

Kind = Literal["add", "set", "empty", "read", "merge", "place", "found_empty", "found_short"]
Range = tuple[int, int]
Carts = frozenset[tuple[str, int, int, int]]
"""All lines of a person's carts: the cart's name, variant, and the least and most it may hold.

Only a merge that stock may have capped leaves more than one possibility, until it is looked at.
"""
EMPTY: Carts = frozenset()
ACCOUNT = "account"


@dataclass(eq=False)
class CartStep:
    """Something that was done to a cart within a window, or may have been, and what it showed."""

    user: str
    kind: Kind
    cart: str
    earliest: float
    latest: float
    quantities: Mapping[int, int] = field(default_factory=dict)
    """By variant: what is added, set, ordered, or was asked for in vain."""
    least: Mapping[int, int] = field(default_factory=dict)
    """By variant, for a merge: there were never fewer to be had."""
    shows: Mapping[int, int] | None = None
    """The whole cart afterwards, where that was seen."""
    is_certain: bool = True
    opens: str | None = None
    """The name of the cart that was opened for it."""
    not_after: "CartStep | None" = None
    """It cannot come after this one."""

    def __str__(self) -> str:
        seen = "" if self.shows is None else f", showing {dict(self.shows)}"
        return f"{self.kind} {dict(self.quantities)} in cart {self.cart}{seen}"

    def carry_out(self, carts: Carts) -> Carts | None:
        """The carts afterwards; None where this cannot have been done then, or shown that."""
        after = dict(_lines(carts, self.cart))
        changed = {self.cart: after}
        if self.kind == "add":
            if self.opens is not None:
                if after:
                    return None  # a cart that is there is added to
                after = changed[self.opens] = {}
            for variant, quantity in self.quantities.items():
                low, high = after.get(variant, (0, 0))
                after[variant] = (low + quantity, high + quantity)
        elif self.kind == "set":
            for variant, quantity in self.quantities.items():
                if variant not in after:
                    return None
                after[variant] = (quantity, quantity)
                if not quantity:
                    del after[variant]
        elif self.kind == "empty":
            after.clear()
        elif self.kind == "merge":
            changed[ACCOUNT] = self._merged(dict(_lines(carts, ACCOUNT)), after)
            changed[self.cart] = {}
        elif not self._agrees(after):
            return None
        elif self.kind == "place":
            after.clear()
        return self._seen(carts, changed)

    def _agrees(self, lines: Mapping[int, Range]) -> bool:
        """Whether an order was made, or refused, of what is in the cart."""
        if self.kind == "place":
            return lines.keys() == self.quantities.keys() and _holds(lines, self.quantities)
        if self.kind == "found_empty":
            return not lines
        return _holds(lines, self.quantities)

    def _merged(self, own: dict[int, Range], guest: Mapping[int, Range]) -> dict[int, Range]:
        """Quantities are added up to what can be had, and never fall below what was there."""
        for variant, (low, high) in guest.items():
            had = own.get(variant)
            if had is None:
                own[variant] = (low, high)
            else:
                capped = max(had[0], min(had[0] + low, self.least.get(variant, 0)))
                own[variant] = (capped, had[1] + high)
        return own

    def _seen(self, carts: Carts, changed: dict[str, dict[int, Range]]) -> Carts | None:
        if self.shows is not None:
            name = self.opens or self.cart
            lines = changed[name]
            if lines.keys() != self.shows.keys() or not _holds(lines, self.shows):
                return None
            changed[name] = {variant: (n, n) for variant, n in self.shows.items()}
        kept = (line for line in carts if line[0] not in changed)
        new = (
            (name, variant, low, high)
            for name, lines in changed.items()
            for variant, (low, high) in lines.items()
        )
        return frozenset((*kept, *new))


def _lines(carts: Carts, name: str) -> Iterator[tuple[int, Range]]:
    return ((variant, (low, high)) for cart, variant, low, high in carts if cart == name)


def _holds(lines: Mapping[int, Range], quantities: Mapping[int, int]) -> bool:
    """Whether the cart may hold just so many of each of these."""
    return all(
        variant in lines and lines[variant][0] <= quantity <= lines[variant][1]
        for variant, quantity in quantities.items()
    )


def steps_of(case: Case) -> Iterator[CartStep]:
    """All steps on all carts."""
    placing: dict[int, CartStep] = {}
    for step, attempts in _placings(case):
        placing.update((id(attempt), step) for attempt in attempts)
        yield step
    for operation in ("add_item", "change_item", "remove_item", "empty_cart", "read_cart"):
        for attempt in case.of(operation):
            yield from _edits(case, attempt)
    for attempt in case.of("login"):
        yield from _merges(case, attempt)
    for attempt in case.of("place_order"):
        yield from _refusals(attempt, placing.get(id(attempt)))
    yield from _last_looks(case)


def _placings(case: Case) -> Iterator[tuple[CartStep, list[Attempt]]]:
    """One step for each order: the books tell what was ordered, and under which key.

    So of attempts whose answers were lost it is known whether they made an order.
    """
    for order_id, asking in case.origins.items():
        order, window = case.books.orders[order_id], case.stories[order_id].placed
        quantities = {line.variant_id: line.quantity for line in order.lines}
        cart = cart_of(asking.attempts[0])
        step = CartStep(
            asking.user, "place", cart, window.earliest, window.latest, quantities, shows={}
        )
        yield step, asking.attempts if asking.key is not None else asking.accepted


def _edits(case: Case, attempt: Attempt) -> Iterator[CartStep]:
    """The step of an edit or a look; none for what was refused, or unseen and changed nothing."""
    kinds: dict[str, Kind] = {
        "add_item": "add",
        "empty_cart": "empty",
        "read_cart": "read",
    }
    kind = kinds.get(attempt.operation, "set")
    is_known = attempt.outcome == "ok"
    if attempt.outcome == "refused" or (kind == "read" and not is_known):
        return
    if not is_known and cart_of(attempt) == "nobody":
        return  # if it opened a cart, nobody knows its token
    about = attempt.about
    yield CartStep(
        attempt.user,
        kind,
        cart_of(attempt),
        attempt.start,
        case.last_moment(attempt),
        {about["variant_id"]: about["quantity"]} if kind in ("add", "set") else {},
        shows=_shown(attempt) if is_known else None,
        is_certain=is_known,
        opens=about.get("opens"),
    )


def _merges(case: Case, attempt: Attempt) -> Iterator[CartStep]:
    """A guest's cart comes along at login. Without names of carts a person has but one."""
    cart = cart_of(attempt)
    if attempt.outcome == "refused" or cart in ("", "nobody", ACCOUNT):
        return
    yield CartStep(
        attempt.user,
        "merge",
        cart,
        attempt.start,
        case.last_moment(attempt),
        least={track.variant_id: track.least_available for track in case.tracks.values()},
        is_certain=attempt.outcome == "ok",
    )


def _refusals(attempt: Attempt, placing: CartStep | None) -> Iterator[CartStep]:
    """What a refused order tells of the cart; and that its key had made no order yet.

    A shortage names what was asked for: the quantity of the line in the cart.
    """
    if attempt.outcome != "refused":
        return
    code, short = refusal(attempt), {}
    if code == "out_of_stock":
        short = {item["variant_id"]: item["requested"] for item in attempt.answer["shortages"]}
    elif code != "cart_empty":
        return
    yield CartStep(
        attempt.user,
        "found_short" if short else "found_empty",
        cart_of(attempt),
        attempt.start,
        attempt.end,
        short,
        not_after=placing,
    )


def _last_looks(case: Case) -> Iterator[CartStep]:
    """What is in customers' carts when all is over."""
    over = max((case.last_moment(attempt) for attempt in case.attempts), default=0.0)
    named = {a.user for a in case.of("add_item", "read_cart") if cart_of(a) == ACCOUNT}
    for user in sorted(named & case.users.keys()):
        shows = case.books.carts.get(case.users[user], {})
        yield CartStep(user, "read", ACCOUNT, over, over, shows=shows)


def cart_of(attempt: Attempt) -> str:
    """The name of the cart that the sender's credentials stand for."""
    return str(attempt.about.get("cart", ""))


def _shown(attempt: Attempt) -> dict[int, int] | None:
    if attempt.operation == "empty_cart":
        return {}
    if attempt.answer is None:
        return None
    return {item["variant_id"]: item["quantity"] for item in attempt.answer["items"]}

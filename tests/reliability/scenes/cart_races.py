"""Races about carts: an edit against the checkout, a login that merges carts against it.

Both orders of the two are played through in a model. What the shop told, and what is in its carts
afterwards, has to be what one of them gives.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tests.reliability.history import Attempt
from tests.reliability.scenes.lane import Lane, needed, units
from tests.reliability.shopper import Shopper

Cart = dict[int, int]


@dataclass
class Carts:
    """A customer's cart and a guest's, and what has become of them."""

    own: Cart
    guest: Cart = field(default_factory=dict)
    edited: bool = False
    ordered: Cart | None = None

    def copy(self) -> "Carts":
        """The same carts before anything happens."""
        return Carts(dict(self.own), dict(self.guest))

    def check_out(self) -> None:
        """The customer orders."""
        self.ordered, self.own = self.own or None, {}

    def check_out_guest(self) -> None:
        """The guest orders."""
        self.ordered, self.guest = self.guest or None, {}

    def merge(self) -> None:
        """The guest signs in; the token is dead from then on."""
        for variant, quantity in self.guest.items():
            self.own[variant] = self.own.get(variant, 0) + quantity
        self.guest, self.edited = {}, True

    def change(self, variant: int, quantity: int) -> None:
        """A line gets another quantity, 0 removes it; no such line is a refusal."""
        self.edited = variant in self.own
        if self.edited:
            self.own = {**self.own, variant: quantity}
            self.own = {known: units for known, units in self.own.items() if units}

    def add(self, variant: int) -> None:
        """A unit comes in."""
        self.own, self.edited = {**self.own, variant: self.own.get(variant, 0) + 1}, True

    def empty(self) -> None:
        """Everything goes out."""
        self.own, self.edited = {}, True


Step = Callable[[Carts], None]


def edit_or_checkout(lane: Lane) -> str | None:
    """A cart is edited while it is ordered: the order has it as before the edit, or as after."""
    ann, one, other = lane.ann, lane.one.variant_id, lane.other.variant_id
    needed(ann.add_item(one, lane.rng.randint(1, 3)))
    if lane.rng.random() < 0.5:
        needed(ann.add_item(other, 1))
    carts = Carts(units(ann.cart))
    (item,) = (item for item in ann.cart if item["variant_id"] == one)
    edit, model = lane.rng.choice(_edits(ann, item["id"], one, other))

    edited, ordered = lane.race(edit, lane.checkout(ann))

    return _compare(lane, carts, [model, Carts.check_out], edited, ordered)


def merge_or_checkout(lane: Lane) -> str | None:
    """Somebody signs in with a guest's cart, while that cart or the account's own is ordered."""
    ann, one, other = lane.ann, lane.one.variant_id, lane.other.variant_id
    guest = lane.guest(ann)
    needed(ann.add_item(one, 1))
    needed(guest.add_item(other, 2))
    if lane.rng.random() < 0.5:
        needed(guest.add_item(one, 1))
    carts = Carts(units(ann.cart), units(guest.cart))
    buyer, model = lane.rng.choice([(ann, Carts.check_out), (guest, Carts.check_out_guest)])

    signed_in, ordered = lane.race(guest.sign_in, lane.checkout(buyer))

    return _compare(lane, carts, [Carts.merge, model], signed_in, ordered)


def _edits(
    buyer: Shopper, item_id: int, one: int, other: int
) -> list[tuple[Callable[[], Attempt], Step]]:
    """What can be done to a cart, and what comes of it."""
    item = {"id": item_id, "variant_id": one}
    return [
        (lambda: buyer.change_item(item, 5), lambda carts: carts.change(one, 5)),
        (lambda: buyer.remove_item(item), lambda carts: carts.change(one, 0)),
        (lambda: buyer.add_item(other, 1), lambda carts: carts.add(other)),
        (lambda: buyer.add_item(one, 1), lambda carts: carts.add(one)),
        (buyer.empty_cart, Carts.empty),
    ]


def _compare(
    lane: Lane, before: Carts, steps: list[Step], edited: Attempt, ordered: Attempt
) -> str | None:
    bought = units(ordered.answer["items"]) if ordered.status == 201 else None
    found = (edited.outcome == "ok", bought, lane.contents(lane.ann))
    right = []
    for first, second in (steps, steps[::-1]):
        carts = before.copy()
        first(carts)
        second(carts)
        right.append((carts.edited, carts.ordered, carts.own))
    return None if found in right else f"{found} came of it, not one of {right}"

"""What the shop must answer, told again in the simplest way: two dictionaries and a few sums."""

from dataclasses import dataclass, field

FOLLOWS = {
    "pending": {"processing", "cancelled"},
    "processing": {"shipped", "cancelled"},
    "shipped": {"delivered"},
    "delivered": set(),
    "cancelled": set(),
}
Cart = dict[int, int]
"""Quantities by variant."""


@dataclass
class Goods:
    """A simple product."""

    variant_id: int
    product_id: int
    price: int
    on_hand: int
    allocated: int = 0

    @property
    def available(self) -> int:
        """What can be sold now."""
        return self.on_hand - self.allocated


@dataclass
class Placed:
    """An order as it was placed: prices are those of that moment."""

    owner: int
    lines: dict[int, tuple[int, int]]
    status: str = "pending"

    @property
    def total(self) -> int:
        """The sum of its lines, in minor units."""
        return sum(quantity * price for quantity, price in self.lines.values())


@dataclass
class Model:
    """A shop without a database; each verb answers with a status, and a code where it refuses."""

    goods: dict[int, Goods]
    carts: dict[int, Cart]
    orders: dict[str, Placed] = field(default_factory=dict)

    def put(self, person: int, variant: int, quantity: int) -> tuple[int, str]:
        """Set a line of a cart to a quantity."""
        if quantity > self.goods[variant].available:
            return 409, "out_of_stock"
        if quantity:
            self.carts[person][variant] = quantity
        else:
            self.carts[person].pop(variant, None)
        return 200, ""

    def subtotal(self, person: int) -> int:
        """What the cart costs today."""
        return sum(self.goods[key].price * count for key, count in self.carts[person].items())

    def short(self, person: int) -> set[int]:
        """The variants of which the cart has more than there are."""
        cart = self.carts[person]
        return {key for key, count in cart.items() if count > self.goods[key].available}

    def order(self, person: int) -> tuple[int, str]:
        """Whether the cart can be ordered."""
        if not self.carts[person]:
            return 422, "cart_empty"
        return (409, "out_of_stock") if self.short(person) else (201, "")

    def placed(self, person: int, number: str) -> Placed:
        """The cart as an order of this number: promised to the buyer, and the cart is empty."""
        cart = self.carts[person]
        lines = {key: (count, self.goods[key].price) for key, count in cart.items()}
        for key, count in cart.items():
            self.goods[key].allocated += count
        self.carts[person] = {}
        self.orders[number] = Placed(person, lines)
        return self.orders[number]

    def move(self, number: str, status: str) -> tuple[int, str]:
        """Move an order along: shipping takes what was promised, cancelling releases it."""
        order = self.orders[number]
        if status not in FOLLOWS[order.status]:
            return 409, "illegal_transition"
        order.status = status
        for key, (count, _price) in order.lines.items():
            if status in ("shipped", "cancelled"):
                self.goods[key].allocated -= count
            if status == "shipped":
                self.goods[key].on_hand -= count
        return 200, ""

    def count(self, variant: int, on_hand: int) -> tuple[int, str]:
        """Write down what is on hand."""
        if on_hand < self.goods[variant].allocated:
            return 409, "stock_promised"
        self.goods[variant].on_hand = on_hand
        return 200, ""

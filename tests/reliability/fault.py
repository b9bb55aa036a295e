"""What a planted fault is, and the files that most of them are planted in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Edit:
    """Words of a file that are replaced; they stand there exactly once."""

    path: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """The text with the fault in it.

        Raises:
            ValueError: the words are not there, or more than once: the mutant has to be mended.
        """
        found = text.count(self.old)
        if found != 1:
            raise ValueError(f"{self.path} has {self.old!r} {found} times, not once.")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Mutant:
    """A fault, and the meeting that has to notice it."""

    name: str
    fault: str
    edits: tuple[Edit, ...]
    meeting: str
    without_check: bool = False
    """Whether the database's own check of the stock is away, too: it would turn an oversale, or what
    leaves too little for orders, into an error."""


INVENTORY = "app/services/inventory/inventory_service.py"
CHECKOUT = "app/services/buying/checkout_service.py"
CHECKOUT_LINES = "app/services/buying/checkout_lines.py"
CARTS = "app/services/buying/cart_service.py"
ORDERS = "app/services/order_service.py"
CACHE = "app/services/cache/shared_cache.py"
UNIT_OF_WORK = "app/db/unit_of_work.py"

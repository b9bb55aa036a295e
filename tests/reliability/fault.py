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
    """A fault, the scene that has to notice it, and what it is to call it."""

    name: str
    fault: str
    edits: tuple[Edit, ...]
    scene: str
    """A meeting or a race, which then has to be told by its name; or another scene."""
    names: frozenset[str] = frozenset()
    """Violations of such another scene, of which one proves that the fault was noticed."""

    @property
    def proofs(self) -> frozenset[str]:
        """Violations of which one proves that the fault was noticed; others may be its echo."""
        return self.names or frozenset({self.scene})


MIGRATION = "migrations/versions/20261122_1200_0001_the_shop.py"
INVENTORY = "app/services/inventory/inventory_service.py"
CHECKOUT = "app/services/buying/checkout_service.py"
CARTS = "app/services/buying/cart_service.py"
ORDERS = "app/services/order_service.py"
CACHE = "app/services/cache/shared_cache.py"
UNIT_OF_WORK = "app/db/unit_of_work.py"

NO_CHECK = Edit(
    MIGRATION,
    '"0 <= allocated AND allocated <= on_hand", name=',
    '"1 = 1", name=',
)
"""The last guard of the stock, which would turn an oversale into a refusal."""
STOCK = frozenset({"oversold", "not_exactly_sold", "stock_does_not_add_up", "allocation_wrong"})

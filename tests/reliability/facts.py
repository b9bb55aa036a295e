"""What is known of a world before its run: the checker's only other source besides the history."""

from dataclasses import dataclass, field


@dataclass
class WorldFacts:
    """Figures that a run starts with, and who is who; money in minor units.

    Conventions by which clients leave traces that outlive a lost answer:
    an order's `note` is its Idempotency-Key; a stock adjustment's `reason` is unique.
    """

    exponent: int = 2
    """Places of the store's currency."""
    on_hand: dict[int, int] = field(default_factory=dict)
    """By variant id; nothing is allocated at the start."""
    prices: dict[int, int] = field(default_factory=dict)
    """By variant id."""
    users: dict[str, int] = field(default_factory=dict)
    """User ids by label; guests have none. Grows while people register."""
    linger: float = 60.0
    """Seconds after a lost answer for which the request may still take effect."""
    cache_lag: float = 31.0
    """Seconds by which a product's answer may trail: an entry's life, where the cache can fail."""
    must_succeed: frozenset[str] = frozenset()
    """Operations without one success of which the run proves nothing."""
    kills: list[float] | None = None
    """When workers were killed. None where none were meant to be; empty proves nothing."""

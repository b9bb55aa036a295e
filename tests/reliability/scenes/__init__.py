"""Scenes: who does what, and what must have come of it.

A scene is a function `run(setting, history, rng, scale) -> Report`. It makes its own goods and
people in a fresh setting, writes every attempt into the history, and ends with all servers well.
`scale` is 1.0 for the full size, less for a quick look.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.reliability.history import History
from tests.reliability.setting import Setting
from tests.reliability.violation import Violation


@dataclass
class Report:
    """What a scene did, and what was wrong."""

    figures: Mapping[str, int | float] = field(default_factory=dict)
    """By name: `orders`, `kills`, `crashes`, `deadlocks`, and whatever else the scene counts."""
    violations: Sequence[Violation] = ()


Scene = Callable[[Setting, History, random.Random, float], Report]

"""The scenes in the order in which they are played, and how large each is."""

from dataclasses import dataclass

from tests.reliability.scenes import (
    Scene,
    fuzz,
    jobs,
    keys,
    meetings,
    mixed,
    orderings,
    prices,
    races,
    rush,
    sqlite_processes,
)
from tests.reliability.setting import Database


@dataclass(frozen=True)
class Act:
    """A scene on one database; sizes as parts of its full one."""

    name: str
    run: Scene
    database: Database
    quick: float | None
    """In the run that is part of every test; None where it is left out there."""
    long: float = 1.0
    workers: int = 4

    @property
    def title(self) -> str:
        """How the score calls it."""
        return f"{self.name} on {self.database}"


ACTS = (
    Act("mixed", mixed.run, "postgresql", quick=8 / 600),
    Act("mixed", mixed.run, "sqlite", quick=4 / 600, long=0.2),
    Act("rush", rush.run, "postgresql", quick=0.1),
    Act("keys", keys.run, "postgresql", quick=0.015),
    Act("orderings", orderings.run, "postgresql", quick=0.01),
    Act("races", races.run, "postgresql", quick=0.01),
    Act("races", races.run, "sqlite", quick=0.005, long=0.1),
    Act("meetings", meetings.run, "postgresql", quick=0.1, workers=2),
    Act("sqlite_processes", sqlite_processes.run, "sqlite", quick=0.2, workers=8),
    Act("prices", prices.run, "postgresql", quick=8 / 300),
    Act("prices", prices.run, "sqlite", quick=5 / 300, long=0.2),
    Act("jobs", jobs.run, "postgresql", quick=8 / 300, workers=1),
    Act("jobs", jobs.run, "sqlite", quick=8 / 300, workers=1),
    Act("fuzz", fuzz.run, "postgresql", quick=None),  # small, it is a test of its own
)

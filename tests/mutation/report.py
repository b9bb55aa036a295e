"""What is printed: killed of all by module, and the survivors by name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.mutation.equal import Equal
from tests.mutation.operators import Mutation
from tests.mutation.verdicts import Verdict

GOAL = 97.0


@dataclass
class ModuleReport:
    """What became of the mutants of one module."""

    path: str
    verdicts: list[tuple[Mutation, Verdict]] = field(default_factory=list)
    equal: list[tuple[Mutation, Equal]] = field(default_factory=list)
    stale: list[Equal] = field(default_factory=list)
    """Entries of equal mutants that apply to none."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(verdict for _mutation, verdict in self.verdicts)

    @property
    def tried(self) -> int:
        """Without those that are equal, or could not be planted, or had no time left."""
        return len(self.verdicts) - self.counts["not planted"] - self.counts["untried"]

    def lines(self) -> list[str]:
        killed = self.counts["killed"]
        others = {
            "known to be equal": len(self.equal), "untried": self.counts["untried"],
            "not planted": self.counts["not planted"],
        }  # fmt: skip
        told = "".join(f", {count} {name}" for name, count in others.items() if count)
        head = f"{self.path}: {killed} of {self.tried} killed ({percent(killed, self.tried)}){told}"
        survivors = [
            f"  {verdict}: {self.path}:{mutation}"
            for mutation, verdict in self.verdicts
            if verdict in ("survived", "out of time")
        ]
        return [head, *survivors, *(f"  no such mutant any more: {one}" for one in self.stale)]


def percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"


def summary(reports: Sequence[ModuleReport]) -> tuple[str, bool]:
    """The last line, and whether the goal is reached with no entry stale."""
    killed = sum(report.counts["killed"] for report in reports)
    tried = sum(report.tried for report in reports)
    equal = sum(len(report.equal) for report in reports)
    untried = sum(report.counts["untried"] for report in reports)
    line = f"score: {killed} of {tried} mutants killed ({percent(killed, tried)}), {equal} more are equal"
    if untried:
        line += f"; {untried} were not tried, for want of time"
    is_reached = 100 * killed >= GOAL * tried and not any(report.stale for report in reports)
    return line, is_reached

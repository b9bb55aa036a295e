"""The lines of the matrix: what each caller is answered at a route of the shop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

CALLERS = ("anonymous", "owner", "other", "admin", "deactivated", "expired", "forged")
"""Nobody; customer A, whose things are asked for; customer B; staff; and three who hold the
tokens of a deactivated account, of another day, and with a name scratched in."""


@dataclass(frozen=True)
class Route:
    """One method of one route, the status for each caller, and what they send."""

    method: str
    rule: str
    expected: Mapping[str, int]
    sends: Callable[[Any], dict[str, Any]]
    is_page: bool = False
    """Pages know people by a cookie; the API by a Bearer token."""

    def __str__(self) -> str:
        return f"{self.method} {self.rule}"

    @property
    def refused(self) -> list[str]:
        """The callers who are kept out."""
        return [caller for caller in CALLERS if self.expected[caller] >= 400]

    @property
    def admitted(self) -> list[str]:
        """The callers who get what they want."""
        return [caller for caller in CALLERS if self.expected[caller] < 400]


Bodies = Mapping[str, Callable[[Any], dict[str, Any]]]


def routes(table: str, bodies: Bodies, is_page: bool = False) -> list[Route]:
    """Read a table: `METHOD[,METHOD] /rule status…`, in the order of CALLERS; # begins a comment.

    `bodies` says what is sent, by a line's `METHOD[,METHOD] /rule`.
    """
    found = []
    for line in table.splitlines():
        words = line.partition("#")[0].split()
        if not words:
            continue
        methods, rule, *statuses = words
        expected = dict(zip(CALLERS, map(int, statuses), strict=True))
        sends = bodies.get(f"{methods} {rule}", lambda _world: {})
        found += [Route(method, rule, expected, sends, is_page) for method in methods.split(",")]
    unused = set(bodies) - {" ".join(line.split()[:2]) for line in table.splitlines()}
    if unused:
        raise ValueError(f"Bodies for lines that are not there: {unused}")
    return found

"""Mutants that no test can tell from the original, each with its reason.

An entry names the source line itself, so that it no longer applies once the line is changed; entries
that apply to nothing are told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.operators import Mutation

FILE = Path(__file__).with_name("equal.txt")


@dataclass(frozen=True)
class Equal:
    """A mutation of a module that changes nothing that anybody could see."""

    path: str
    source: str
    change: str
    """With the ordinal behind it from the second on: `0 -> 1 (2)`."""
    reason: str

    def applies_to(self, path: str, mutation: Mutation) -> bool:
        ordinal = f" ({mutation.ordinal})" if mutation.ordinal > 1 else ""
        change = f"{mutation.change}{ordinal}"
        return (path, mutation.source, change) == (self.path, self.source, self.change)


def read(text: str | None = None) -> list[Equal]:
    """The entries of the file: a heading `[path]`, then for each the line, the change, the reason.

    Raises:
        ValueError: an entry is incomplete.
    """
    return list(
        _entries((FILE.read_text(encoding="utf-8") if text is None else text).split("\n\n"))
    )


def _entries(blocks: Sequence[str]) -> Iterator[Equal]:
    path = ""
    for block in blocks:
        lines = [line.strip() for line in block.splitlines() if not line.startswith("#")]
        lines = [line for line in lines if line]
        if len(lines) == 1 and lines[0].startswith("["):
            path = lines[0].strip("[]")
        elif len(lines) >= 3 and lines[1].startswith("=> "):
            yield Equal(path, lines[0], lines[1].removeprefix("=> "), " ".join(lines[2:]))
        elif lines:
            raise ValueError(f"An entry of a line, a change and a reason is expected: {block!r}")

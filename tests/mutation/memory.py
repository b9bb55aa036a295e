"""Verdicts of earlier runs, so that a run that had too little time can be taken up again."""

import json
from pathlib import Path

from tests.mutation.operators import Mutation
from tests.mutation.report import ModuleReport
from tests.mutation.verdicts import Verdict

Key = tuple[str, str, str, int]


class Memory:
    """The mutants that were killed, in a file of one JSON list a line; in none if there is no path.

    A mutant is known by its source line, so one whose line was changed is tried anew. Forget the file
    when tests were changed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._killed: set[Key] = set()
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                module, source, change, ordinal = json.loads(line)
                self._killed.add((module, source, change, ordinal))

    def verdict_on(self, path: str, mutation: Mutation) -> Verdict:
        """What is known of a mutant: one that was not killed survives so far."""
        return "killed" if _key(path, mutation) in self._killed else "survived"

    def note(self, report: ModuleReport) -> None:
        """Write down which mutants of a module have been killed."""
        if self._path is None:
            return
        with self._path.open("a", encoding="utf-8") as lines:
            for mutation, verdict in report.verdicts:
                key = _key(report.path, mutation)
                if verdict == "killed" and key not in self._killed:
                    self._killed.add(key)
                    lines.write(json.dumps(key) + "\n")


def _key(path: str, mutation: Mutation) -> Key:
    return path, mutation.source, mutation.change, mutation.ordinal

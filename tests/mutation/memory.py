"""Verdicts of earlier runs, so that a run that had too little time can be taken up again."""

import json
from pathlib import Path

from tests.mutation.operators import Mutation
from tests.mutation.verdicts import Verdict

Key = tuple[str, str, str, int]


class Memory:
    """The verdicts, in a file of one JSON list a line, written one by one; in none if there is no path.

    A mutant is known by its source line, so one whose line was changed is tried anew. One that was
    killed stays killed: forget the file when tests were removed.

    Args:
        is_doubtful: survivors are tried again, since tests were added.
    """

    def __init__(self, path: Path | None, is_doubtful: bool = False) -> None:
        self._path = path
        self._killed: set[Key] = set()
        self._survived: set[tuple[Key, str]] = set()
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                *key, verdict, stage = json.loads(line)
                self._store(tuple(key), verdict, stage)
        if is_doubtful:
            self._survived.clear()

    def verdict_on(self, path: str, mutation: Mutation) -> Verdict:
        """What is known of a mutant: one that was not killed survives so far."""
        return "killed" if _key(path, mutation) in self._killed else "survived"

    def has_survived(self, path: str, mutation: Mutation, stage: str) -> bool:
        """Whether a mutant was tried in a stage, and survived."""
        return (_key(path, mutation), stage) in self._survived

    def note(self, path: str, mutation: Mutation, verdict: Verdict, stage: str) -> None:
        """Write down what became of a mutant in a stage."""
        key = _key(path, mutation)
        self._store(key, verdict, stage)
        if self._path is not None and verdict in ("killed", "survived"):
            with self._path.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps([*key, verdict, stage]) + "\n")

    def _store(self, key: Key, verdict: Verdict, stage: str) -> None:
        if verdict == "killed":
            self._killed.add(key)
        elif verdict == "survived":
            self._survived.add((key, stage))


def _key(path: str, mutation: Mutation) -> Key:
    return path, mutation.source, mutation.change, mutation.ordinal
